/* The built-in job: a WASI p1 command that says what it was given and ends with the exit code of `--exit N`. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **arguments) {
    int code = 0;
    puts("Hello from a WebAssembly job");
    for (int index = 1; index < count; index++) {
        printf("argument %d: %s\n", index, arguments[index]);
        if (!strcmp(arguments[index], "--exit") && index + 1 < count) code = atoi(arguments[index + 1]);
    }
    const char *greeting = getenv("GREETING");
    if (greeting) printf("greeting: %s\n", greeting);
    const char *pod = getenv("POD_NAME");
    if (pod) printf("pod: %s\n", pod);
    if (code) fprintf(stderr, "ending with exit code %d, as asked\n", code);
    return code;
}
