/* Loads plug-ins with dlopen(RTLD_LOCAL) and runs each. Arguments: their paths, in order; "close" closes the one before it,
 * "look" says whether it is there still, "again" runs it, "deep" loads what follows with RTLD_DEEPBIND. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **words)
{
    int flags = RTLD_NOW | RTLD_LOCAL;
    const char *path = NULL;
    void *plugin = NULL;
    if (count < 2) {
        fprintf(stderr, "a plug-in's path is missing\n");
        return 2;
    }
    for (int i = 1; i < count; i++) {
        void (*run)(void);
        if (strcmp(words[i], "deep") == 0) {
            flags |= RTLD_DEEPBIND;
            continue;
        }
        if (strcmp(words[i], "close") == 0) {
            dlclose(plugin);
            continue;
        }
        if (strcmp(words[i], "look") == 0) {
            printf("%s\n", dlopen(path, RTLD_NOW | RTLD_NOLOAD) == NULL ? "gone" : "there");
            continue;
        }
        if (strcmp(words[i], "again") != 0)
            path = words[i];
        if (strcmp(words[i], "again") != 0 && (plugin = dlopen(words[i], flags)) == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            return 2;
        }
        *(void **)&run = dlsym(plugin, "run_plugin");
        run();
    }
    return 3;
}
