#pragma once

#include "engine/base/api.h"
#include "engine/base/source.h"

#include <exception>
#include <string>
#include <vector>

namespace stillroom {

// What a process ends with, one number a kind of failure.
inline constexpr int kExitOk = 0;
inline constexpr int kExitStageFailed = 1;
inline constexpr int kExitUsage = 2;          ///< usage, or any mistake in a recipe
inline constexpr int kExitBadInput = 3;       ///< an input artifact is unfit
inline constexpr int kExitResource = 4;       ///< disk, memory, device, lost output
inline constexpr int kExitNetwork = 5;        ///< a remote part cannot be reached
inline constexpr int kExitNumeric = 6;        ///< NaN, Inf
inline constexpr int kExitRanks = 7;          ///< a dead, late or stuck rank
inline constexpr int kExitGate = 8;           ///< a quality gate refused a result
inline constexpr int kExitIntegrity = 9;      ///< a digest, a lock, a changed recipe
inline constexpr int kExitPolicy = 10;        ///< refused by trust or policy
inline constexpr int kExitInternal = 70;      ///< a bug of ours
inline constexpr int kExitStopped = 75;       ///< by a signal, at a safe point: to be run again
inline constexpr int kExitInterrupted = 130;  ///< by SIGINT, at once
inline constexpr int kExitTerminated = 143;   ///< by SIGTERM, at once

/// Ends the work at hand. Every caller that knows more adds a note and rethrows with `throw;`.
/// Mistakes in a recipe are not errors but diagnostics, collected so that all are shown.
class STILLROOM_API Error : public std::exception {
public:
    struct Note {
        Position where;
        std::string text;
    };

    Error(Position where, std::string message);
    ~Error() override;  // out of line: one type_info for the engine and every plugin

    Error& note(Position where, std::string text);
    Error& hint(std::string text);
    Error& key(std::string setting);  ///< the setting at fault; the engine maps it to file and line
    Error& exit_code(int code);       ///< 1 unless a class of failure fits better

    const char* what() const noexcept override { return message_.c_str(); }
    const Position& where() const { return where_; }
    const std::vector<Note>& notes() const { return notes_; }
    const std::string& hint_text() const { return hint_; }
    const std::string& setting() const { return key_; }
    int exit_code() const { return exit_code_; }

    std::string render() const;  ///< as the command line prints it

private:
    Position where_;
    std::string message_;
    std::vector<Note> notes_;
    std::string hint_;
    std::string key_;
    int exit_code_ = kExitStageFailed;
};

}  // namespace stillroom
