#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace stillroom::lm {

struct OutsideProgram {
    std::vector<std::string> words;  ///< the program, found on PATH, and its arguments; no shell
    std::vector<std::string> variables;  ///< NAME=VALUE, all that it gets
    std::filesystem::path folder;        ///< it works in
    double seconds = 3600;
    std::function<bool()> cancelled;  ///< may be empty
};

struct OutsideEnd {
    bool started = false;   ///< false: there is no such program
    bool stopped = false;   ///< by `cancelled`
    bool too_long = false;  ///< it was ended after `seconds`
    int exit = -1;          ///< its own; -1: ended by a signal
    std::string said;       ///< the end of what it wrote, at most 16 KiB
};

/// Runs a program that is not ours and waits. Whatever it started ends with it. Its input is empty.
OutsideEnd run_outside(const OutsideProgram& program);

}  // namespace stillroom::lm
