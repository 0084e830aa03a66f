#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::prune {

/// Values of each candidate for the units of one batch.
using BatchValues = std::vector<std::vector<double>>;

/// What was scored so far, a line a batch, so that an interrupted search goes on at the next one.
/// The name of the file says what the lines cover: whatever changes a number. A rank writes a file
/// of its own and reads those of all.
class ScoreLog {
public:
    ScoreLog(const std::filesystem::path& folder, std::string_view covers, int rank);

    bool has(std::int64_t batch) const { return done_.contains(batch); }
    void add(std::int64_t batch, const BatchValues& values);
    const std::map<std::int64_t, BatchValues>& done() const { return done_; }

private:
    std::filesystem::path file_;
    std::ofstream out_;
    std::map<std::int64_t, BatchValues> done_;
};

}  // namespace stillroom::prune
