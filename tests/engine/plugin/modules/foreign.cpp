// Has the symbol, but the table of somebody else.
extern "C" const char* stillroom_plugin() {
    return "this is somebody else's idea of a plugin";
}
