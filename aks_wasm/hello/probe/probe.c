/* The smallest proof that a node runs Wasm: prints `ok` and ends with 0. With the argument `stay` it sleeps afterwards,
   for as long as the node lets it. */

#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

#define DAY 86400000000000ull /* nanoseconds */

static char text[256];
static char *words[8];

static int is_to_stay(void) {
    __wasi_size_t count, size;
    if (__wasi_args_sizes_get(&count, &size) || count < 2 || count > 8 || size > sizeof text) return 0;
    if (__wasi_args_get((uint8_t **)words, (uint8_t *)text)) return 0;
    return !strcmp(words[count - 1], "stay");
}

int main(void) {
    if (write(1, "ok\n", 3) != 3) return 1;
    while (is_to_stay()) {
        __wasi_subscription_t day = {0};
        day.u.tag = __WASI_EVENTTYPE_CLOCK;
        day.u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
        day.u.u.clock.timeout = DAY;
        __wasi_event_t event;
        __wasi_size_t events;
        if (__wasi_poll_oneoff(&day, &event, 1, &events)) return 1;
    }
    return 0;
}
