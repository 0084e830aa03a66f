#pragma once

#include "engine/base/api.h"
#include "engine/base/error.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

struct Rank {
    int rank = 0;
    int world = 1;
    int local = 0;         ///< among those on this host
    std::string store;     ///< HOST:PORT of the rendezvous; empty: alone
    double timeout = 600;  ///< seconds that ranks wait for each other
};

/// What work costs, where it is known. Nothing is unknown, not zero.
struct Cost {
    std::optional<double> seconds;
    std::optional<std::uint64_t> memory_bytes;
    std::optional<std::uint64_t> disk_bytes;
    std::optional<double> flops;
    std::optional<std::uint64_t> parameters;
};

enum class LogLevel { debug, info, warning, error };

/// What `describe` and `run` both see.
class STILLROOM_API StageContext {
public:
    virtual ~StageContext();

    virtual bool has(std::string_view port) const = 0;
    virtual std::filesystem::path input(std::string_view port) const = 0;  ///< a folder
    virtual std::vector<std::filesystem::path> inputs(
        std::string_view port) const = 0;                                   ///< of a list port
    virtual std::filesystem::path output(std::string_view name) const = 0;  ///< an empty folder

    /// True if the recipe or the command line sets it; false for a schema's default. Dotted below.
    virtual bool given(std::string_view setting) const = 0;

    virtual bool offline() const = 0;  ///< open no connection
    virtual void log(LogLevel level, std::string_view text) = 0;

    /// What cannot work, at settings.key(...); the engine shows its file, line and origin. Ends
    /// describe and run alike, by throwing Error with exit 2.
    [[noreturn]] void refuse(std::string_view key, std::string message, std::string hint) const;
};

/// Inputs and outputs are skeletons: the artifact's folder without tensors or tokens.
class STILLROOM_API DescribeContext : public StageContext {
public:
    ~DescribeContext() override;
    virtual int ranks() const = 0;  ///< that will run it
    virtual void cost(const Cost& cost) = 0;
};

/// Inputs are read-only. A folder given as output becomes an artifact when run() has returned on
/// every rank; if run() throws it is dropped.
class STILLROOM_API RunContext : public StageContext {
public:
    ~RunContext() override;

    /// The stage's own folder. It survives an interruption and goes when the stage has finished.
    virtual std::filesystem::path work() const = 0;

    virtual const Rank& rank() const = 0;
    virtual int threads() const = 0;                ///< fixed, whatever runs beside
    virtual const std::string& device() const = 0;  ///< auto, cpu, cuda, cuda:N as written
    virtual void progress(double done, std::string_view what) = 0;  ///< of 1
    virtual void metric(std::string_view name, double value, std::int64_t step) = 0;
    virtual void text(std::string_view text) = 0;  ///< what `do` prints on stdout
    virtual bool cancelled() const = 0;  ///< this rank's view; ranks agree at a step boundary

    /// Says that work() holds all that is needed to go on: after a signal, or an Error that exits
    /// with 75 because settings want a stop there, the engine then ends with 75, not 130.
    virtual void saved() = 0;

    /// `auto` becomes what `decide` says the first time, and stays that when the work goes on.
    virtual std::string decided(std::string_view name,
                                const std::function<std::string()>& decide) = 0;

    /// The output is this outside folder itself, a source: nothing is copied. `files` of it count,
    /// all where empty.
    virtual void bind(std::string_view output,
                      const std::filesystem::path& folder,
                      const std::vector<std::string>& files) = 0;

    /// An outside file that decides the result, though no setting names it as a path.
    virtual void reads(const std::filesystem::path& file) = 0;

    /// A file that was hashed while it was written (see output_file.h), or fetched to where bind()
    /// and reads() name it, is not read again.
    virtual void hashed(const std::filesystem::path& file,
                        std::uint64_t size,
                        const std::string& digest) = 0;

    /// The outputs are kept but marked failed; the run ends with 8.
    virtual void gate(std::string_view message) = 0;

    /// Where what this stage writes comes from, for a stage that writes outside the store: the
    /// stages that it stands on, in the order of the run, as JSON: a list of {"name", "use",
    /// "inputs": [names of stages], "settings": {those that somebody wrote}}.
    virtual std::string recipe() const;

    /// Where a stage that trains leaves TensorBoard's files, of the run and not of the result; not
    /// there yet, and empty where there is no run.
    virtual std::filesystem::path tensorboard() const;

    /// True if saved work that is damaged is to be refused, not passed over: `resume --strict`.
    virtual bool strict() const;

    /// A fault that a test wants: true once, when this rank is to make its "loss" or its "gradient"
    /// no number, or to fail as its "device" does that is gone or has no "memory". See `--inject`.
    virtual bool spoils(std::string_view what);
};

/// One node of a pipeline. The constructor takes checked settings and touches nothing else.
class STILLROOM_API Stage {
public:
    virtual ~Stage();

    /// Shapes, counts and costs of the outputs, from small files only; refuses what cannot work.
    /// Never called for a cached stage.
    virtual void describe(DescribeContext& context) const;
    virtual void run(RunContext& context) = 0;  ///< all work and all waiting
};

}  // namespace stillroom
