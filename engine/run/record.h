#pragma once

#include "engine/base/api.h"
#include "engine/base/digest.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stillroom {

// What a rank writes into its own file, one JSON object a line, `event` first told apart:
//
//   {"ts","event":"start","pid","host","rank","world","launcher"}
//   {"ts","event":"progress","done","what"} {"ts","event":"metric","name","value","step"}
//   {"ts","event":"log","level","text"}                {"ts","event":"text","text"}
//   {"ts","event":"beat"}                              {"ts","event":"saved"}
//   {"ts","event":"decided","name","value"}            {"ts","event":"cost", ...Cost}
//   {"ts","event":"bind","output","path","files"}      {"ts","event":"reads","path"}
//   {"ts","event":"hashed","path","size","digest"}     {"ts","event":"gate","message"}
//   {"ts","event":"described","stage"}                 (planning: this stage's costs are complete)
//   {"ts","event":"result","ok":true}
//   {"ts","event":"result","ok":false,"exit","message","key","hint","notes":[...],"cancelled"}
//
// The file is the log that remains; whole lines only, the last one may be torn.

struct Record {
    std::string event;
    std::string stage;  ///< of a planning worker; else empty
    std::string name;   ///< metric, decided, bind's output, log's level
    std::string text;   ///< what, text, message, value, path
    double value = 0;   ///< done, metric
    std::int64_t step = 0;
    std::string time;  ///< ts
    bool ok = false;   ///< of a result
    bool cancelled = false;
    int exit_code = 0;
    std::string key, hint;
    std::vector<std::string> list;          ///< bind's files, notes
    FileRecord file;                        ///< hashed
    std::map<std::string, double> numbers;  ///< cost
    long pid = 0;
    std::string host;
};

STILLROOM_API std::string record_line(const Record& record);  ///< with its newline
STILLROOM_API std::optional<Record> read_record(std::string_view line);

/// Follows one growing file: each call gives the whole lines since the last one.
class STILLROOM_API RecordFollower {
public:
    explicit RecordFollower(std::filesystem::path file) : file_(std::move(file)) {}
    std::vector<Record> poll();

private:
    std::filesystem::path file_;
    std::uint64_t offset_ = 0;
};

}  // namespace stillroom
