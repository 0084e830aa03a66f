#include "plugins/lm/weights/gguf_import.h"

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "plugins/lm/weights/gguf_model.h"
#include "plugins/lm/weights/gguf_tokenizer.h"
#include "plugins/lm/weights/quantized.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

namespace stillroom::lm {
namespace {

// What one thread takes at a time: long enough to be worth it, short enough to stay in its cache.
constexpr std::int64_t kPiece = std::int64_t{256} << 10;  // values

constexpr std::string_view kFactors = "rope_freqs.weight";

std::string generation_config(const TokenIds& special) {
    JsonWriter json(2);
    json.begin_object();
    json.key("_from_model_config");
    json.boolean(true);
    auto put = [&](std::string_view key, std::optional<std::int64_t> id) {
        if (!id)
            return;
        json.key(key);
        json.integer(*id);
    };
    put("bos_token_id", special.bos);
    if (special.eos.size() > 1) {
        json.key("eos_token_id");
        json.begin_array();
        for (std::int64_t id : special.eos)
            json.integer(id);
        json.end_array();
    } else if (!special.eos.empty()) {
        put("eos_token_id", special.eos.front());
    }
    put("pad_token_id", special.pad);
    json.end_object();
    return json.take() + "\n";
}

/// Runs `work` on pieces 0 to count - 1, on up to `threads` threads, this one among them; what one
/// of them throws ends all.
template <class Work>
void in_pieces(std::int64_t count, unsigned threads, Work work) {
    std::atomic<std::int64_t> next{0};
    std::exception_ptr failure;
    std::mutex keeping;
    auto run = [&] {
        try {
            for (std::int64_t piece; (piece = next++) < count;)
                work(piece);
        } catch (...) {
            next = count;
            std::lock_guard lock(keeping);
            failure = std::current_exception();
        }
    };
    std::vector<std::jthread> others;
    auto wanted = std::min<std::int64_t>(threads, count);
    for (std::int64_t i = 1; i < wanted; ++i)
        others.emplace_back(run);
    run();
    others.clear();
    if (failure)
        std::rethrow_exception(failure);
}

}  // namespace

GgufImport GgufImport::open(const std::filesystem::path& path, Dtype dtype) {
    GgufFile file = GgufFile::open(path);
    ModelConfig model = gguf_model(file, dtype);
    WeightTable table = weight_table(model);
    return GgufImport(std::move(file), std::move(model), table, dtype);
}

GgufImport::GgufImport(GgufFile file, ModelConfig model, const WeightTable& table, Dtype dtype)
    : file_(std::move(file)),
      model_(std::move(model)),
      dtype_(dtype) {
    match(table);
    GgufVocabulary vocabulary = gguf_vocabulary(file_);
    if (static_cast<std::int64_t>(vocabulary.tokens.size()) > model_.vocab)
        file_.refuse(fmt::format("it has {} tokens, and 'token_embd.weight' {} rows",
                                 vocabulary.tokens.size(),
                                 model_.vocab));
    files_.push_back({"config.json", config_text(vocabulary.special)});
    files_.push_back({"generation_config.json", generation_config(vocabulary.special)});
    files_.push_back({"special_tokens_map.json", gguf_special_tokens_text(vocabulary)});
    files_.push_back({"tokenizer.json", gguf_tokenizer_text(file_, vocabulary)});
    files_.push_back({"tokenizer_config.json",
                      gguf_tokenizer_config_text(file_, vocabulary, model_.max_positions)});
}

std::string GgufImport::config_text(const TokenIds& special) const try {
    return config_json(model_, special);
} catch (const Error& error) {  // a model that no stock class of transformers is
    file_.refuse(error.what(), error.hint_text());
}

void GgufImport::match(const WeightTable& table) {
    std::uint64_t offset = 0;
    for (const Weight& weight : table) {
        const GgufTensor* tensor = file_.tensor(weight.gguf);
        if (!tensor)
            file_.refuse(fmt::format("the tensor '{}' ({}) is missing", weight.gguf, weight.name));
        if (tensor->shape != weight.shape()) {
            std::string keys;
            for (const Dim& dim : weight.dims)
                keys += (keys.empty() ? "" : ", ") + config_keys(dim);
            file_.refuse(fmt::format("the tensor '{}' ({}) has the shape {}, not {} ({})",
                                     weight.gguf,
                                     weight.name,
                                     to_string(tensor->shape),
                                     to_string(weight.shape()),
                                     keys));
        }
        if (!tensor->type->readable)
            file_.refuse(fmt::format("the tensor '{}' is stored in {}, which is not supported",
                                     weight.gguf,
                                     tensor->type->name),
                         "supported are " + readable_block_types());
        TensorInfo info;
        info.name = weight.name;
        info.dtype = dtype_;
        info.shape = weight.shape();
        info.offset = offset;
        info.bytes = static_cast<std::uint64_t>(weight.count()) * (bits_of(dtype_) / 8);
        offset += info.bytes;
        Source source{tensor, weight.gguf_transform, info.shape[0], 1, 0};
        if (info.shape.size() == 2)
            source.row = info.shape[1];
        else if (source.transform != GgufTransform::pair_rows)
            std::swap(source.rows, source.row);  // a vector is one row, its blocks go along it
        if (source.transform == GgufTransform::pair_rows)
            source.head_dim = weight.dims[0].segments[0].back().size;
        tensors_.push_back(std::move(info));
        sources_.push_back(source);
    }
    for (const GgufTensor& tensor : file_.tensors())
        if (!table.find_gguf(tensor.name) && tensor.name != kFactors)
            file_.refuse(fmt::format("the tensor '{}' is none of the model's", shown(tensor.name)));
}

NumberCounts GgufImport::read_rows(const Source& source,
                                   std::int64_t first,
                                   std::int64_t count,
                                   std::span<std::byte> into) const {
    const BlockType& type = *source.tensor->type;
    auto row_bytes = static_cast<std::uint64_t>(source.row) / type.values * type.bytes;
    auto out_bytes = static_cast<std::size_t>(source.row) * (bits_of(dtype_) / 8);
    thread_local std::vector<std::byte> stored;
    stored.resize(row_bytes * static_cast<std::uint64_t>(count));
    file_.read(*source.tensor, row_bytes * static_cast<std::uint64_t>(first), stored);
    std::span<const std::byte> from = stored;
    if (source.transform == GgufTransform::none)
        return dequantize(type, from, dtype_, into);
    if (source.transform == GgufTransform::plus_one) {
        std::vector<float> values(static_cast<std::size_t>(source.row * count));
        dequantize(type, from, Dtype::f32, std::as_writable_bytes(std::span(values)));
        for (float& value : values)
            value -= 1;
        return convert(Dtype::f32, std::as_bytes(std::span(values)), dtype_, into);
    }
    // Whole heads: row 2i + j of a head in the file is its row j * half + i.
    NumberCounts counts;
    auto half = static_cast<std::size_t>(source.head_dim / 2);
    for (std::size_t row = 0; row < static_cast<std::size_t>(count); ++row) {
        std::size_t in_head = row % (2 * half);
        std::size_t to = row - in_head + in_head % 2 * half + in_head / 2;
        counts += dequantize(type,
                             from.subspan(row * row_bytes, row_bytes),
                             dtype_,
                             into.subspan(to * out_bytes, out_bytes));
    }
    return counts;
}

NumberCounts GgufImport::read(std::size_t tensor,
                              std::span<std::byte> into,
                              unsigned threads) const {
    const Source& source = sources_.at(tensor);
    if (into.size() != tensors_[tensor].bytes)
        throw std::invalid_argument("a tensor is read as a whole");
    std::int64_t each = std::max<std::int64_t>(1, kPiece / source.row);
    if (source.transform == GgufTransform::pair_rows)  // whole heads
        each = std::max<std::int64_t>(1, each / source.head_dim) * source.head_dim;
    std::uint64_t row_out = into.size() / static_cast<std::uint64_t>(source.rows);
    NumberCounts counts;
    std::mutex adding;
    in_pieces((source.rows + each - 1) / each, threads, [&](std::int64_t piece) {
        std::int64_t first = piece * each;
        std::int64_t count = std::min(each, source.rows - first);
        NumberCounts some = read_rows(source,
                                      first,
                                      count,
                                      into.subspan(static_cast<std::uint64_t>(first) * row_out,
                                                   static_cast<std::uint64_t>(count) * row_out));
        std::lock_guard lock(adding);
        counts += some;
    });
    return counts;
}

std::vector<NewTensor> GgufImport::new_tensors(unsigned threads, NumberCounts& counts) const {
    std::uint64_t largest = 0;
    for (const TensorInfo& info : tensors_)
        largest = std::max(largest, info.bytes);
    auto buffer = std::make_shared<std::vector<std::byte>>();
    std::vector<NewTensor> out;
    for (std::size_t i = 0; i < tensors_.size(); ++i)
        out.push_back(
            {tensors_[i], {}, [this, i, threads, largest, buffer, &counts](const WriteBytes& put) {
                 buffer->resize(largest);
                 std::span<std::byte> bytes = std::span(*buffer).first(tensors_[i].bytes);
                 counts += read(i, bytes, threads);
                 put(bytes);
             }});
    return out;
}

}  // namespace stillroom::lm
