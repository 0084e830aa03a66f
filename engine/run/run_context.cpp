#include "engine/run/run_context.h"

#include "engine/base/durable.h"
#include "engine/run/lifeline.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kLookAtCancel = 200'000'000;  // ns between two looks at the file

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

Record record(const char* event) {
    Record out;
    out.event = event;
    return out;
}

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

const fs::path& one_input(const std::map<std::string, std::vector<fs::path>>& inputs,
                          std::string_view port) {
    auto found = inputs.find(std::string(port));
    if (found == inputs.end() || found->second.empty())
        throw Error({}, fmt::format("the stage reads port '{}', which is not connected", port))
            .exit_code(kExitInternal);
    if (found->second.size() > 1)
        throw Error({}, fmt::format("the stage reads the list port '{}' as one", port))
            .exit_code(kExitInternal);
    return found->second.front();
}

bool was_given(const std::vector<std::string>& given, std::string_view setting) {
    return std::any_of(given.begin(), given.end(), [&](const std::string& key) {
        return key.starts_with(setting) &&
               (key.size() == setting.size() || key[setting.size()] == '.');
    });
}

std::string level_name(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warning:
            return "warning";
        case LogLevel::error:
            break;
    }
    return "error";
}

WorkerContext::WorkerContext(
    const Job& job, Rank rank, RecordWriter& records, Decisions& decisions, Faults& faults)
    : job_(job),
      rank_(std::move(rank)),
      records_(records),
      decisions_(decisions),
      faults_(faults) {}

bool WorkerContext::has(std::string_view port) const {
    auto found = job_.inputs.find(std::string(port));
    return found != job_.inputs.end() && !found->second.empty();
}

fs::path WorkerContext::input(std::string_view port) const {
    return one_input(job_.inputs, port);
}

std::vector<fs::path> WorkerContext::inputs(std::string_view port) const {
    auto found = job_.inputs.find(std::string(port));
    return found == job_.inputs.end() ? std::vector<fs::path>() : found->second;
}

fs::path WorkerContext::output(std::string_view name) const {
    auto found = job_.outputs.find(std::string(name));
    if (found == job_.outputs.end())
        throw Error({}, fmt::format("the stage writes an output '{}' that it does not have", name))
            .exit_code(kExitInternal);
    return found->second;
}

bool WorkerContext::given(std::string_view setting) const {
    return was_given(job_.given, setting);
}

void WorkerContext::log(LogLevel level, std::string_view text) {
    Record out = record("log");
    out.name = level_name(level);
    out.text = text;
    records_.write(out);
}

/// Whoever asks for the folder may leave work in it: from now on it is there, and of this machine.
fs::path WorkerContext::work() const {
    make_folders(job_.work);
    decisions_.begin();
    return job_.work;
}

void WorkerContext::progress(double done, std::string_view what) {
    records_.progress(done, what);
    faults_.step();
}

void WorkerContext::metric(std::string_view name, double value, std::int64_t step) {
    Record out = record("metric");
    out.name = name;
    out.value = value;
    out.step = step;
    records_.write(out);
}

void WorkerContext::text(std::string_view text) {
    Record out = record("text");
    out.text = text;
    records_.write(out);
}

bool WorkerContext::cancelled() const {
    if (told_)
        return true;
    bool stop = stop_signalled();
    if (!stop && !job_.cancel.empty()) {
        std::int64_t now = now_ns();
        std::int64_t due = next_look_;
        if (now >= due && next_look_.compare_exchange_strong(due, now + kLookAtCancel))
            stop = ::access(job_.cancel.c_str(), F_OK) == 0;
    }
    if (stop)
        told_ = true;
    return stop;
}

void WorkerContext::saved() {
    saved_ = true;
    decisions_.begin();
    records_.write(record("saved"));
}

std::string WorkerContext::decided(std::string_view name,
                                   const std::function<std::string()>& decide) {
    Record out = record("decided");
    out.name = name;
    out.text = decisions_.decided(name, decide);
    records_.write(out);
    return out.text;
}

void WorkerContext::bind(std::string_view output,
                         const fs::path& folder,
                         const std::vector<std::string>& files) {
    this->output(output);
    Record out = record("bind");
    out.name = output;
    out.text = fs::absolute(folder).native();
    out.list = files;
    records_.write(out);
}

void WorkerContext::reads(const fs::path& file) {
    Record out = record("reads");
    out.text = fs::absolute(file).native();
    records_.write(out);
}

void WorkerContext::hashed(const fs::path& file, std::uint64_t size, const std::string& digest) {
    fs::path path = fs::absolute(file);
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || static_cast<std::uint64_t>(status.st_size) != size)
        return;  // then it is read again
    Record out = record("hashed");
    out.file.path = path.native();
    out.file.size = size;
    out.file.digest = digest;
    out.file.stamp = {static_cast<std::uint64_t>(status.st_dev),
                      static_cast<std::uint64_t>(status.st_ino),
                      size,
                      nanoseconds(status.st_mtim),
                      nanoseconds(status.st_ctim)};
    records_.write(out);
}

void WorkerContext::gate(std::string_view message) {
    Record out = record("gate");
    out.text = message;
    records_.write(out);
}

}  // namespace stillroom
