#pragma once

#include "engine/base/api.h"
#include "engine/base/digest.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

// What a rank writes into its own file, one JSON object a line:
//
//   {"ts","event":"start","pid","host","rank","world","launcher"}
//   {"ts","event":"plugin","name","version","path","build"}
//   {"ts","event":"progress","done","what"} {"ts","event":"metric","name","value","step"}
//   {"ts","event":"log","level","text"}                {"ts","event":"text","text"}
//   {"ts","event":"beat"}                              {"ts","event":"saved"}
//   {"ts","event":"decided","name","value"}            {"ts","event":"cost", ...Cost}
//   {"ts","event":"bind","output","path","files"}      {"ts","event":"reads","path"}
//   {"ts","event":"hashed","path","size","digest","stamp"}  {"ts","event":"gate","message"}
//   {"ts","event":"described","stage"}                 (planning: this stage's costs are complete)
//   {"ts","event":"result","ok":true,"cancelled"}
//   {"ts","event":"result","ok":false,"exit","message","key","hint","notes":[...],"cancelled"}
//
// "stage" too where a planning worker speaks of several. The file is the log that remains: whole
// lines only, the last one may be torn; a second try goes on in the same file.

struct Record {
    std::string event;
    std::string stage;  ///< of a planning worker; else empty
    std::string name;   ///< metric, decided, plugin, bind's output, log's level, start's launcher
    std::string text;   ///< what, text, message, value, path, plugin's version
    double value = 0;   ///< done, metric
    std::int64_t step = 0;
    std::string time;        ///< ts: RFC 3339, UTC, microseconds, so that texts compare like times
    bool ok = false;         ///< of a result
    bool cancelled = false;  ///< of a result: the stage was told to stop and stopped
    int exit_code = 0;
    std::string key, hint;
    std::vector<std::string> list;          ///< bind's files, notes
    FileRecord file;                        ///< hashed; of plugin its path and build
    std::map<std::string, double> numbers;  ///< cost
    long pid = 0;
    std::string host;
    int rank = 0;  ///< of start
    int world = 1;
};

/// What a line may have at most; a longer one is never written and skipped when read.
inline constexpr std::size_t kLongestRecord = std::size_t{1} << 20;

/// The record as a line with its newline. Bytes that are no UTF-8 become U+FFFD, and long texts are
/// cut, so that what is written can be read. Throws Error (exit 4) if a list makes it too long.
STILLROOM_API std::string record_line(const Record& record);

/// Nothing if the line is no record. Unknown events and fields are let through.
STILLROOM_API std::optional<Record> read_record(std::string_view line);

/// "rank-0003.log"
STILLROOM_API std::string record_file(int rank);

/// Follows one growing file: each call gives the whole lines since the last one. A line that is no
/// record is counted and skipped.
class STILLROOM_API RecordFollower {
public:
    /// From byte `offset` on: what stands before belongs to an earlier try.
    explicit RecordFollower(std::filesystem::path file, std::uint64_t offset = 0)
        : file_(std::move(file)),
          offset_(offset) {}

    std::vector<Record> poll();
    bool more() const { return more_; }  ///< the last call stopped before the end of the file
    const std::filesystem::path& file() const { return file_; }
    std::uint64_t skipped() const { return skipped_; }

private:
    void take(std::string_view line, std::vector<Record>& records);

    std::filesystem::path file_;
    std::uint64_t offset_ = 0;  ///< of the first byte that is not in `pending_`
    std::string pending_;       ///< an unfinished line
    bool too_long_ = false;     ///< the line at hand is skipped to its end
    std::uint64_t skipped_ = 0;
    bool more_ = false;
};

}  // namespace stillroom
