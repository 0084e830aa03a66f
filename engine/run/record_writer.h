#pragma once

#include "engine/base/api.h"
#include "engine/run/record.h"

#include <chrono>
#include <mutex>
#include <optional>

namespace stillroom {

/// One rank's own file of records. Appends whole lines, each by one write, from any thread; a try
/// before this one keeps its lines. Every function throws Error (exit 4) once a line could not be
/// written: a stage whose records are lost must not seem to have ended well.
class STILLROOM_API RecordWriter {
public:
    explicit RecordWriter(const std::filesystem::path& file);
    RecordWriter(const RecordWriter&) = delete;
    RecordWriter& operator=(const RecordWriter&) = delete;
    ~RecordWriter();

    void write(const Record& record);

    /// At most ten a second reach the file; of those held back the newest follows later.
    void progress(double done, std::string_view what);
    void flush();  ///< what was held back

private:
    void append(const std::string& line);
    void write_held();

    std::filesystem::path file_;
    int fd_ = -1;
    std::mutex mutex_;
    int failure_ = 0;  ///< errno of the write that failed
    std::optional<Record> held_;
    std::chrono::steady_clock::time_point next_progress_{};
};

}  // namespace stillroom
