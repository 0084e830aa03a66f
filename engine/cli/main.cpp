#include "engine/cli/command_line.h"

int main(int argc, char** argv) {
    return stillroom::run_command_line(argc, argv);
}
