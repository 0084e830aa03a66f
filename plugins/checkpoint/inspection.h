#pragma once

#include "engine/plugin/stage.h"
#include "plugins/checkpoint/model_folder.h"
#include "plugins/checkpoint/tensor_stats.h"
#include "plugins/lm/weights/counts.h"
#include "plugins/lm/weights/loads_in.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::checkpoint {

/// A tensor as a list shows it.
struct ListedTensor {
    std::string name, dtype, file;
    lm::Shape shape;
    std::string axes;  ///< "heads 32 x head_dim 128, hidden 4096"
    std::uint64_t bytes = 0;
    std::optional<TensorStats> stats;
};

struct DtypeShare {
    std::int64_t tensors = 0, parameters = 0;
    std::uint64_t bytes = 0;
};

/// What can be said of a model folder.
struct Inspection {
    lm::ModelConfig model;
    lm::Counts counts;
    std::uint64_t memory_bytes = 0;  ///< of the weights as they are stored
    std::uint64_t kv_bytes = 0;      ///< that a position adds to the cache
    std::int64_t tensors = 0;
    std::map<std::string, DtypeShare> dtypes;  ///< empty: there are no weights
    std::vector<ListedTensor> list;            ///< where asked for
    bool listed = false;
    std::vector<std::int64_t> tp_sizes;
    std::vector<lm::LoadsIn> loads_in;
    std::vector<std::string> hooks, unopened, ignored;
    std::vector<std::string> files;
    bool has_weights = false, tied_head = false;
};

struct InspectOptions {
    bool list_tensors = false, statistics = false;
    unsigned threads = 1;
    std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};

/// Reads headers; weights only for statistics.
Inspection inspect(const std::filesystem::path& folder, const InspectOptions& options);

/// report.json; `runtime`: that program's part in detail, empty: none.
std::string json_of(const Inspection& inspection, const std::string& runtime);

/// The same for people, as Markdown that is plain text too.
std::string text_of(const Inspection& inspection, const std::string& runtime);

}  // namespace stillroom::checkpoint
