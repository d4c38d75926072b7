/* The built-in HTTP service: a WAGI handler (CGI variables in, an HTTP response on stdout), one instance a request.
   The pod's own environment is not shown: Spin gives a component only what its manifest names. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static void line(const char *label, const char *value) {
    if (*value) printf("%s: %s\n", label, value);
}

static void echo_body(void) {
    char buffer[4096];
    size_t count = fread(buffer, 1, sizeof buffer, stdin);
    if (!count) return;
    fputs("body: ", stdout);
    do fwrite(buffer, 1, count, stdout);
    while ((count = fread(buffer, 1, sizeof buffer, stdin)) > 0);
    putchar('\n');
}

int main(void) {
    const char *path = variable("PATH_INFO");
    if (!strcmp(path, "/trap")) __builtin_trap(); /* shows what the host makes of a module that crashes */
    if (!strcmp(path, "/missing")) {
        fputs("status: 404\ncontent-type: text/plain\n\nno such page\n", stdout);
        return 0;
    }
    fputs("content-type: text/plain; charset=utf-8\n\nHello from WebAssembly\n", stdout);
    line("method", variable("REQUEST_METHOD"));
    line("path", path);
    line("query", variable("QUERY_STRING"));
    line("host", variable("HTTP_HOST"));
    line("greeting", variable("GREETING"));
    line("route", variable("X_COMPONENT_ROUTE"));
    if (!strcmp(variable("REQUEST_METHOD"), "POST")) echo_body();
    fprintf(stderr, "%s %s\n", variable("REQUEST_METHOD"), path);
    return 0;
}
