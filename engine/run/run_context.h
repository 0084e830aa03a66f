#pragma once

#include "engine/base/api.h"
#include "engine/plugin/stage.h"
#include "engine/run/decisions.h"
#include "engine/run/inject.h"
#include "engine/run/job.h"
#include "engine/run/record_writer.h"

#include <atomic>
#include <chrono>

namespace stillroom {

/// What a running stage sees: the job's folders, and records for the engine. For any thread of the
/// stage.
class STILLROOM_API WorkerContext final : public RunContext {
public:
    WorkerContext(
        const Job& job, Rank rank, RecordWriter& records, Decisions& decisions, Faults& faults);

    bool has(std::string_view port) const override;
    std::filesystem::path input(std::string_view port) const override;
    std::vector<std::filesystem::path> inputs(std::string_view port) const override;
    std::filesystem::path output(std::string_view name) const override;
    bool given(std::string_view setting) const override;
    bool offline() const override { return job_.offline; }
    void log(LogLevel level, std::string_view text) override;

    std::filesystem::path work() const override;
    const Rank& rank() const override { return rank_; }
    int threads() const override { return job_.threads; }
    const std::string& device() const override { return job_.device; }
    void progress(double done, std::string_view what) override;
    void metric(std::string_view name, double value, std::int64_t step) override;
    void text(std::string_view text) override;
    bool cancelled() const override;
    void saved() override;
    std::string decided(std::string_view name, const std::function<std::string()>& decide) override;
    void bind(std::string_view output,
              const std::filesystem::path& folder,
              const std::vector<std::string>& files) override;
    void reads(const std::filesystem::path& file) override;
    void hashed(const std::filesystem::path& file,
                std::uint64_t size,
                const std::string& digest) override;
    void gate(std::string_view message) override;
    std::string recipe() const override { return job_.recipe; }
    std::filesystem::path tensorboard() const override { return job_.tensorboard; }
    bool strict() const override { return job_.strict; }
    bool spoils(std::string_view what) override { return faults_.spoils(what); }

    /// True if the stage was told to stop: what it returned from is not its end.
    bool was_cancelled() const { return told_; }
    bool has_saved() const { return saved_; }

private:
    const Job& job_;
    Rank rank_;
    RecordWriter& records_;
    Decisions& decisions_;
    Faults& faults_;
    mutable std::atomic<bool> told_{false};
    std::atomic<bool> saved_{false};
    mutable std::atomic<std::int64_t> next_look_{0};
};

// Of both contexts: what the ports and settings of a stage say.

/// The one folder at the port. Throws Error (exit 70): a stage asks only for ports of its schema.
const std::filesystem::path& one_input(
    const std::map<std::string, std::vector<std::filesystem::path>>& inputs, std::string_view port);

/// True for a key in the list, and for a map that holds one of them.
bool was_given(const std::vector<std::string>& given, std::string_view setting);

std::string level_name(LogLevel level);

}  // namespace stillroom
