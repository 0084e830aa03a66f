#include "plugins/prune/score_log.h"

#include "engine/base/digest.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/json_value.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <cerrno>

namespace stillroom::prune {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLargestLog = std::size_t{1} << 30;

/// A line that was not finished when the process ended is none.
void read_lines(const fs::path& file, std::map<std::int64_t, BatchValues>& done) {
    std::string text = read_file(file, kLargestLog);
    text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n'));
    if (text.empty())
        return;
    for (const std::string& line : split(text, '\n')) {
        Json record = Json::parse(line);
        BatchValues values;
        for (const Json& candidate : record.at("values").list()) {
            values.emplace_back();
            for (const Json& value : candidate.list())
                values.back().push_back(value.number());
        }
        done[record.at("batch").integer()] = std::move(values);
    }
}

}  // namespace

ScoreLog::ScoreLog(const fs::path& folder, std::string_view covers, int rank) {
    const std::string name = "scored-" + digest_of(covers).substr(0, 32) + ".";
    for (const std::string& file : list_folder(folder))
        if (file.starts_with(name))
            read_lines(folder / file, done_);
    file_ = folder / fmt::format("{}{}.jsonl", name, rank);
    if (std::error_code ignored; fs::exists(file_, ignored)) {
        // What follows the last whole line is cut off before more is written.
        std::string text = read_file(file_, kLargestLog);
        text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
        write_record_file(file_, text);
    }
    out_.open(file_, std::ios::app);
}

void ScoreLog::add(std::int64_t batch, const BatchValues& values) {
    JsonWriter out;
    out.begin_object();
    out.key("batch"), out.integer(batch);
    out.key("values"), out.begin_array();
    for (const std::vector<double>& candidate : values) {
        out.begin_array();
        for (double value : candidate)
            out.number(value);
        out.end_array();
    }
    out.end_array();
    out.end_object();
    out_ << out.text() << '\n' << std::flush;
    if (!out_)
        refuse_write(file_, ENOSPC);
    done_[batch] = values;
}

}  // namespace stillroom::prune
