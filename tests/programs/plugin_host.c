/* Loads a plug-in with dlopen(RTLD_LOCAL) and runs it. Argument: its path. */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **words)
{
    void *plugin = count == 2 ? dlopen(words[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    void (*run)(void);
    if (plugin == NULL) {
        fprintf(stderr, "%s\n", count == 2 ? dlerror() : "a plug-in's path is missing");
        return 2;
    }
    *(void **)&run = dlsym(plugin, "run_plugin");
    run();
    return 3;
}
