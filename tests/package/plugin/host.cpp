#include <dlfcn.h>

#include <cstdio>

// Loads the plugin, uses it, and unloads it, twice.
int main(int, char** arguments) {
  for (int round = 0; round < 2; ++round) {
    void* const plugin = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (plugin == nullptr) {
      std::fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
    const auto works = reinterpret_cast<bool (*)()>(dlsym(plugin, "plugin_works"));
    if (works == nullptr || !works()) return 1;
    dlclose(plugin);
  }
  return 0;
}
