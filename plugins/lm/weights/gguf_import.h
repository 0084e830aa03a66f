#pragma once

#include "engine/base/api.h"
#include "plugins/lm/config/model_config.h"
#include "plugins/lm/config/new_config.h"
#include "plugins/lm/weights/convert.h"
#include "plugins/lm/weights/gguf.h"
#include "plugins/lm/weights/tensor.h"
#include "plugins/lm/weights/tensor_writer.h"
#include "plugins/lm/weights/weight_table.h"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace stillroom::lm {

/// A GGUF file seen as the Hugging Face folder that it becomes: the small files as texts, and the
/// tensors under their Hugging Face names, converted one at a time as they are asked for. Opening
/// reads the header, and refuses (Error, exit 3, by name) whatever the folder could not hold: a
/// tensor that is missing, left over, of another shape or of a type that is not read.
///
///     GgufImport model = GgufImport::open(path, Dtype::bf16);
///     for (const GgufImport::SmallFile& file : model.files()) write(file.name, file.text);
///     save_model(folder, model.new_tensors(threads, counts), options);
class STILLROOM_API GgufImport {
public:
    struct SmallFile {
        std::string name, text;
    };

    /// `dtype` of the weights: BF16, F16 or F32.
    static GgufImport open(const std::filesystem::path& path, Dtype dtype = Dtype::bf16);

    const GgufFile& file() const { return file_; }
    const ModelConfig& model() const { return model_; }

    /// config.json first; tokenizer.json and what belongs to it; generation_config.json.
    const std::vector<SmallFile>& files() const { return files_; }

    /// In the order of the weight table; `offset` counts from the first one's beginning.
    const std::vector<TensorInfo>& tensors() const { return tensors_; }

    /// One tensor's bytes, converted on up to `threads` threads. What no weight should be is
    /// counted, and written as it is. Any thread may ask, several at once.
    NumberCounts read(std::size_t tensor, std::span<std::byte> into, unsigned threads) const;

    /// All of them for save_model(): each is converted when its turn comes, into one buffer that
    /// they share. They look at this object and at `counts`, which both stay where they are.
    std::vector<NewTensor> new_tensors(unsigned threads, NumberCounts& counts) const;

private:
    GgufImport(GgufFile file, ModelConfig model, const WeightTable& table, Dtype dtype);

    struct Source {
        const GgufTensor* tensor;
        GgufTransform transform;
        std::int64_t rows, row;  ///< how many, and of how many values
        std::int64_t head_dim;   ///< of pair_rows
    };

    void match(const WeightTable& table);
    std::string config_text(const TokenIds& special) const;
    NumberCounts read_rows(const Source& source,
                           std::int64_t first,
                           std::int64_t count,
                           std::span<std::byte> into) const;

    GgufFile file_;
    ModelConfig model_;
    Dtype dtype_;
    std::vector<SmallFile> files_;
    std::vector<TensorInfo> tensors_;
    std::vector<Source> sources_;
};

}  // namespace stillroom::lm
