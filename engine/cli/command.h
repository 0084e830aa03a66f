#pragma once

#include "engine/base/diagnostic.h"
#include "engine/base/error.h"
#include "engine/base/source.h"
#include "engine/cli/command_line.h"
#include "engine/document/document.h"
#include "engine/recipe/configuration.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {
class JsonWriter;
}

namespace stillroom::cli {

/// One invocation: what a verb is given, and what it leaves to be printed. Nothing is printed
/// before the verb has ended, so that a failure leaves no half output.
struct Command {
    const CommandLine& line;
    Sources& sources;
    Diagnostics& diagnostics;
    Limits limits = {};
    int columns = 80;

    std::string text = {};      ///< for stdout, where --json is not given
    std::string result = {};    ///< the JSON `result` of --json; empty: null
    std::string progress = {};  ///< for stderr, after the problems

    std::optional<int> exit_code = {};  ///< of a run; else the diagnostics decide
    bool survives_lost_stdout = false;  ///< what counts lies in files

    /// Set where stdout carries one bare JSON value instead of usage.md's object; then a failure
    /// leaves stdout empty unless `value_despite_errors`.
    bool bare_value = false;
    bool value_despite_errors = false;

    bool json() const { return line.has("--json"); }
    bool verbose() const { return line.has("--verbose"); }

    /// Fills `result` with what `write` writes.
    void write_result(const std::function<void(JsonWriter&)>& write);

    /// The words from the one at `first` on.
    std::vector<Word> words_from(std::size_t first) const;
    std::vector<std::filesystem::path> config_folders() const;

    /// Read when a verb first asks, so that help and version work with a broken one; its mistakes
    /// are among the diagnostics.
    const Configuration& configuration() const;

    bool offline() const { return is_offline(line.has("--offline")); }

    mutable std::optional<Configuration> configured = {};  ///< what `configuration` has read
};

/// Reads --limit NAME=N into limits; mistakes are diagnostics.
void read_limits(Command& command);

/// Puts an Error thrown by the engine among the diagnostics, at `where` if it names no place.
void add_error(Diagnostics& diagnostics, const Error& error, Span where = {});

/// Prints what the verb left and returns the exit code.
int finish(Command& command);

}  // namespace stillroom::cli
