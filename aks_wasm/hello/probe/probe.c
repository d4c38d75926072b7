/* The smallest proof that a node runs Wasm: prints `ok` and ends with 0. */

#include <unistd.h>

int main(void) {
    return write(1, "ok\n", 3) == 3 ? 0 : 1;
}
