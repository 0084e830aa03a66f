#include "plugins/prune/scores.h"

#include "engine/base/digest.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "plugins/lm/weights/tensor_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

namespace stillroom::prune {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kTensors = "scores.safetensors";
constexpr std::string_view kAbout = "scores.json";
constexpr std::size_t kLargestAbout = std::size_t{16} << 20;

using Lists = std::vector<std::vector<double>>;

void add_list(std::vector<double>& to, const std::vector<double>& from) {
    if (to.empty())
        to.resize(from.size());
    for (std::size_t i = 0; i < from.size(); ++i)
        to[i] += from[i];
}

void add_lists(Lists& to, const Lists& from) {
    to.resize(std::max(to.size(), from.size()));
    for (std::size_t i = 0; i < from.size(); ++i)
        add_list(to[i], from[i]);
}

std::vector<float> roots(const std::vector<double>& squares) {
    std::vector<float> out;
    for (double square : squares)
        out.push_back(static_cast<float>(std::sqrt(square)));
    return out;
}

/// Importance of each head: the L2 norm over its channels, whose squares are the sums themselves.
std::vector<float> head_roots(const std::vector<double>& squares, std::size_t head_dim) {
    std::vector<float> out;
    for (std::size_t head = 0; head < squares.size(); head += head_dim) {
        double sum = 0;
        for (std::size_t i = head; i < head + head_dim; ++i)
            sum += squares[i];
        out.push_back(static_cast<float>(std::sqrt(sum)));
    }
    return out;
}

template <class Element>
lm::NewTensor tensor_of(std::string name, const std::vector<Element>& values) {
    lm::NewTensor out;
    out.info.name = std::move(name);
    out.info.dtype = sizeof(Element) == 4 ? lm::Dtype::f32 : lm::Dtype::f64;
    out.info.shape = {static_cast<std::int64_t>(values.size())};
    out.make = [&values](const lm::WriteBytes& write) { write(std::as_bytes(std::span(values))); };
    return out;
}

/// A list where there is such a tensor, of the length that the model asks for.
template <class Element>
std::vector<Element> read_list(const lm::TensorFile& file,
                               const std::string& name,
                               std::int64_t length) {
    auto info = std::find_if(file.tensors().begin(), file.tensors().end(), [&](const auto& one) {
        return one.name == name;
    });
    if (info == file.tensors().end())
        return {};
    lm::Dtype dtype = sizeof(Element) == 4 ? lm::Dtype::f32 : lm::Dtype::f64;
    if (info->dtype != dtype || info->shape != lm::Shape{length})
        throw Error({},
                    fmt::format("{}: '{}' is {} {}, the model's is {} [{}]",
                                file.path().string(),
                                name,
                                lm::name_of(info->dtype),
                                lm::to_string(info->shape),
                                lm::name_of(dtype),
                                length))
            .hint("the scores were measured on another model")
            .exit_code(kExitBadInput);
    std::vector<Element> out(static_cast<std::size_t>(length));
    file.read(*info, std::as_writable_bytes(std::span(out)));
    return out;
}

template <class Element>
std::vector<std::vector<Element>> read_lists(const lm::TensorFile& file,
                                             const std::string& pattern,
                                             std::int64_t layers,
                                             std::int64_t length) {
    std::vector<std::vector<Element>> out;
    for (std::int64_t layer = 0; layer < layers; ++layer) {
        std::string name = fmt::format(fmt::runtime(pattern), layer);
        std::vector<Element> list = read_list<Element>(file, name, length);
        if (list.empty() && layer == 0)
            return {};
        if (list.empty())
            throw Error({}, fmt::format("{}: there is no '{}'", file.path().string(), name))
                .exit_code(kExitBadInput);
        out.push_back(std::move(list));
    }
    return out;
}

void require_finite(const std::vector<double>& sums, std::string_view hook, std::size_t layer) {
    for (std::size_t i = 0; i < sums.size(); ++i)
        if (!std::isfinite(sums[i]))
            throw Error(
                {},
                fmt::format(
                    "layer {}: what {} shows is no number, first at channel {}", layer, hook, i))
                .hint(
                    "look at the weights with checkpoint.inspect, or compute in fp32 or bf16, "
                    "not fp16")
                .exit_code(kExitNumeric);
}

}  // namespace

void RawScores::add(const RawScores& other) {
    add_lists(attention_input, other.attention_input);
    add_lists(mlp_input, other.mlp_input);
    add_lists(ffn, other.ffn);
    add_lists(heads, other.heads);
    add_list(layers, other.layers);
    add_list(stream, other.stream);
    rows += other.rows;
    tokens += other.tokens;
}

Scores scores_of(RawScores raw, std::int64_t head_dim) {
    Scores out;
    std::vector<double> hidden;
    for (const Lists* sites : {&raw.attention_input, &raw.mlp_input})
        for (const std::vector<double>& site : *sites) {
            hidden.resize(site.size());
            for (std::size_t i = 0; i < site.size(); ++i)
                hidden[i] += std::sqrt(site[i]);
        }
    out.hidden.assign(hidden.begin(), hidden.end());
    for (const std::vector<double>& layer : raw.ffn)
        out.ffn.push_back(roots(layer));
    for (const std::vector<double>& layer : raw.heads)
        out.heads.push_back(head_roots(layer, static_cast<std::size_t>(head_dim)));
    out.layers.assign(raw.layers.begin(), raw.layers.end());
    out.raw = std::move(raw);
    return out;
}

void require_numbers(const RawScores& raw) {
    const std::pair<const Lists*, std::string_view> hooks[] = {
        {&raw.attention_input, "the norm before attention"},
        {&raw.heads, "the input of o_proj"},
        {&raw.mlp_input, "the norm before the MLP"},
        {&raw.ffn, "the input of down_proj"}};
    std::size_t layers =
        std::max({raw.attention_input.size(), raw.heads.size(), raw.ffn.size(), raw.layers.size()});
    for (std::size_t layer = 0; layer < layers; ++layer) {  // the first layer that goes wrong
        for (const auto& [lists, hook] : hooks)
            if (layer < lists->size())
                require_finite((*lists)[layer], hook, layer);
        if (layer < raw.layers.size())
            require_finite({raw.layers[layer]}, "input and output", layer);
    }
}

void write_scores(RunContext& context,
                  const fs::path& folder,
                  const Scores& scores,
                  const std::string& about) {
    std::vector<lm::NewTensor> tensors;
    auto add = [&](std::string name, const auto& values) {
        if (!values.empty())
            tensors.push_back(tensor_of(std::move(name), values));
    };
    auto add_all = [&](const char* pattern, const auto& lists) {
        for (std::size_t i = 0; i < lists.size(); ++i)
            add(fmt::format(fmt::runtime(pattern), i), lists[i]);
    };
    add("hidden", scores.hidden);
    add_all("ffn.{}", scores.ffn);
    add_all("heads.{}", scores.heads);
    add("layers", scores.layers);
    add_all("raw.hidden.{}.attention", scores.raw.attention_input);
    add_all("raw.hidden.{}.mlp", scores.raw.mlp_input);
    add_all("raw.ffn.{}", scores.raw.ffn);
    add_all("raw.heads.{}", scores.raw.heads);
    add("raw.layers", scores.raw.layers);
    add("raw.stream", scores.raw.stream);
    lm::save_tensors(context, folder / kTensors, tensors, {{"format", "pt"}});
    write_record_file(folder / kAbout, about + "\n");
}

Scores read_scores(const fs::path& folder, const lm::ModelConfig& model) {
    const Shape shape = shape_of(model);
    const std::int64_t channels = shape.heads * model.layers.front().attention->head_dim;
    lm::TensorFile file = lm::TensorFile::open(folder / kTensors);
    Scores out;
    out.about = Json::parse(read_file(folder / kAbout, kLargestAbout));
    out.hidden = read_list<float>(file, "hidden", shape.hidden);
    out.ffn = read_lists<float>(file, "ffn.{}", shape.layers, shape.ffn);
    out.heads = read_lists<float>(file, "heads.{}", shape.layers, shape.heads);
    out.layers = read_list<float>(file, "layers", shape.layers);
    out.raw.attention_input =
        read_lists<double>(file, "raw.hidden.{}.attention", shape.layers, shape.hidden);
    out.raw.mlp_input = read_lists<double>(file, "raw.hidden.{}.mlp", shape.layers, shape.hidden);
    out.raw.ffn = read_lists<double>(file, "raw.ffn.{}", shape.layers, shape.ffn);
    out.raw.heads = read_lists<double>(file, "raw.heads.{}", shape.layers, channels);
    out.raw.layers = read_list<double>(file, "raw.layers", shape.layers);
    out.raw.stream = read_list<double>(file, "raw.stream", shape.hidden);
    if (const Json* rows = out.about.find("rows"))
        out.raw.rows = rows->integer();
    if (const Json* tokens = out.about.find("tokens"))
        out.raw.tokens = tokens->integer();
    return out;
}

std::string fingerprint_of_model(const fs::path& folder) {
    constexpr std::size_t kSample = 4096;
    lm::TensorFolder files = lm::TensorFolder::open(folder);
    std::vector<lm::FolderTensor> tensors = files.tensors();
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
        return a.info->name < b.info->name;
    });
    RunningDigest digest;
    for (const lm::FolderTensor& tensor : tensors) {
        digest.add(fmt::format("{} {} {}\n",
                               tensor.info->name,
                               lm::name_of(tensor.info->dtype),
                               lm::to_string(tensor.info->shape)));
        // Read, not mapped: a touch of the map may bring two MiB of the file with it.
        std::vector<std::byte> some(std::min<std::uint64_t>(kSample, tensor.info->bytes));
        for (std::uint64_t at : {std::uint64_t{0}, tensor.info->bytes - some.size()}) {
            tensor.file->file().read(tensor.info->offset + at, some);
            digest.add({reinterpret_cast<const char*>(some.data()), some.size()});
        }
    }
    files.check();
    return digest.hex();
}

}  // namespace stillroom::prune
