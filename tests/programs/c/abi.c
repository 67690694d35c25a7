/* include/pointsman.h as a C program uses it: structures of the right size, and of callers that are older or newer. */
#include <pointsman.h>
#include <stdio.h>
#include <string.h>

/* A caller that was built against a later header. */
struct later {
    struct pointsman_counters known;
    uint64_t unknown[2];
};

static int failures;

static void check(int holds, const char *what)
{
    if (!holds) {
        printf("not true: %s\n", what);
        failures++;
    }
}
#define CHECK(condition) check((condition) != 0, #condition)

static int all(const void *bytes, unsigned char value, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes;
    while (length > 0 && *at == value) {
        at++;
        length--;
    }
    return length == 0;
}

int main(int count, char **words)
{
    struct pointsman_counters counters;
    struct later later;
    size_t shorter = sizeof counters - sizeof counters.failed_open;
    if (count != 3)
        return 2;
    CHECK(strcmp(pointsman_version(), words[1]) == 0);
    CHECK(pointsman_enabled() == (strcmp(words[2], "on") == 0));

    memset(&counters, 0xee, sizeof counters);
    CHECK(pointsman_read_counters(&counters, sizeof counters) == 0);
    CHECK(all(&counters, 0, sizeof counters));

    memset(&counters, 0xee, sizeof counters);
    CHECK(pointsman_read_counters(&counters, shorter) == 0);
    CHECK(all(&counters, 0, shorter));
    CHECK(all((char *)&counters + shorter, 0xee, sizeof counters - shorter));

    memset(&later, 0xee, sizeof later);
    CHECK(pointsman_read_counters(&later.known, sizeof later) == 0);
    CHECK(all(&later, 0, sizeof later));

    memset(&counters, 0xee, sizeof counters);
    CHECK(pointsman_read_counters(&counters, 0) == 0);
    CHECK(all(&counters, 0xee, sizeof counters));
    CHECK(pointsman_read_counters(NULL, sizeof counters) == -1);
    return failures;
}
