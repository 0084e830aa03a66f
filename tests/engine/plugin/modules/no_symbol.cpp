// A shared module that is no plugin.
extern "C" int stillroom_plugins() {
    return 1;
}
