#pragma once

#include "engine/plugin/stage.h"
#include "plugins/lm/config/model_config.h"
#include "plugins/lm/parallel/mesh.h"
#include "plugins/lm/parallel/model_part.h"
#include "plugins/lm/parallel/sent.h"

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <deque>
#include <string>
#include <utility>

namespace stillroom::prune {

/// Thrown out of a loop when the engine asks the stage to stop: run() then returns.
struct Stopped {};

/// What a stage computes on, and in: `auto` is decided once and stays so when work goes on.
struct Machine {
    at::Device device = at::kCPU;
    at::ScalarType type = at::kFloat;
    std::string type_name;  ///< "float32"
    lm::Mesh mesh;          ///< the ranks of the stage

    const lm::Comm& world() const { return mesh.world; }
    bool first_rank() const { return world().rank() == 0; }

    /// What this rank holds of a model.
    lm::ModelPart part_of(const lm::ModelConfig& model) const;
};

Machine machine_of(RunContext& context, const lm::Layout& layout);

/// Bytes of memory that a new tensor can have there: what is free; 0 where nobody can tell.
std::uint64_t free_memory(at::Device device);

/// Tokens of a pass that keep the machine busy and its memory small.
std::int64_t batch_tokens(at::Device device);

/// Residual streams on their way between the stages of a pipeline, in the order of the batches. One
/// stage alone neither sends nor receives.
class Line {
public:
    explicit Line(const Machine& machine);

    bool is_first() const { return machine_.mesh.is_first(); }
    bool is_last() const { return machine_.mesh.is_last(); }
    at::Tensor receive(std::int64_t tokens, std::int64_t width) const;
    void send(const at::Tensor& x_TD);  ///< to the next stage, without waiting for it
    void wait() { sent_.wait(); }

private:
    const Machine& machine_;
    lm::Sent sent_;
};

/// Whether to stop, which all ranks come to know at the same call. Nobody waits for one that is no
/// more than `lag` calls behind.
class Votes {
public:
    Votes(lm::Comm comm, std::size_t lag) : comm_(std::move(comm)), lag_(lag) {}

    bool stop(bool mine);
    void wait();  ///< for what is still under way

private:
    struct Vote {
        at::Tensor any;
        lm::Pending pending;
    };
    bool first();

    lm::Comm comm_;
    std::size_t lag_;
    std::deque<Vote> votes_;
};

}  // namespace stillroom::prune
