#include "plugins/checkpoint/comparison.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "plugins/checkpoint/model_folder.h"
#include "plugins/checkpoint/pieces.h"
#include "plugins/checkpoint/raw_bytes.h"
#include "plugins/lm/weights/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

/// A value as compared: numbers by what they are.
std::string told(const lm::ConfigText& text, const lm::ConfigValue& value) {
    using Kind = lm::ConfigValue::Kind;
    if (value.kind == Kind::number || value.kind == Kind::integer)
        return value.kind == Kind::integer
                   ? text.text().substr(value.begin, value.end - value.begin)
                   : lm::python_number(value.number);
    std::string raw = text.text().substr(value.begin, value.end - value.begin);
    std::erase_if(raw, [](char c) { return c == '\n' || c == '\r' || c == '\t'; });
    return raw;
}

void flatten(const lm::ConfigText& text,
             const lm::ConfigValue& value,
             const std::string& key,
             std::map<std::string, std::string>& out) {
    if (!value.is_map() || value.members.empty()) {
        if (value.is_list()) {
            std::string items;
            for (const lm::ConfigValue& item : value.items)
                items += (items.empty() ? "" : ", ") + told(text, item);
            out[key] = "[" + items + "]";
        } else {
            out[key] = told(text, value);
        }
        return;
    }
    for (const lm::ConfigValue::Member& member : value.members)
        flatten(text, member.value, key.empty() ? member.key : key + "." + member.key, out);
}

NumberDifference compare_piece(std::span<const float> one, std::span<const float> other) {
    NumberDifference out;
    out.count = one.size();
    for (std::size_t i = 0; i < one.size(); ++i) {
        const double a = one[i], b = other[i];
        if (!std::isfinite(a) || !std::isfinite(b)) {
            bool same = a == b || (std::isnan(a) && std::isnan(b));
            out.not_comparable += !same;
            continue;
        }
        const double difference = a - b;
        out.differing += difference != 0;
        out.max = std::max(out.max, std::abs(difference));
        out.squares += difference * difference;
        out.dot += a * b;
        out.one += a * a;
        out.other += b * b;
    }
    return out;
}

lm::ConfigText read_text(const fs::path& folder) {
    fs::path file = folder / "config.json";
    std::error_code ignored;
    if (!fs::exists(file, ignored))
        throw Error({},
                    fmt::format("{} is no model folder: there is no config.json", folder.string()))
            .exit_code(kExitBadInput);
    return lm::ConfigText::parse(read_file(file, lm::ConfigText::kLimit), file.string());
}

bool has_weights(const fs::path& folder) {
    std::error_code ignored;
    return fs::exists(folder / lm::kWholeModel, ignored) ||
           fs::exists(folder / lm::kModelIndex, ignored);
}

void compare_weights(const lm::TensorFolder& one,
                     const lm::TensorFolder& other,
                     unsigned threads,
                     const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                     Comparison& out) {
    std::uint64_t done = 0;
    for (const lm::FolderTensor& tensor : one.tensors()) {
        done += tensor.info->bytes;
        std::optional<lm::FolderTensor> twin = other.find(tensor.info->name);
        if (!twin) {
            out.only_one.push_back(tensor.info->name);
            continue;
        }
        TensorDifference found{tensor.info->name,
                               std::string(lm::name_of(tensor.info->dtype)),
                               std::string(lm::name_of(twin->info->dtype)),
                               tensor.info->shape,
                               twin->info->shape,
                               {}};
        if (found.same_shape())
            found.numbers = compare_numbers(tensor, *twin, threads);
        out.all.add(found.numbers);
        out.tensors.push_back(std::move(found));
        if (progress)
            progress(done, one.tensor_bytes());
    }
    for (const lm::FolderTensor& tensor : other.tensors())
        if (!one.find(tensor.info->name))
            out.only_other.push_back(tensor.info->name);
    std::sort(out.only_one.begin(), out.only_one.end());
    std::sort(out.only_other.begin(), out.only_other.end());
    std::sort(out.tensors.begin(), out.tensors.end(), [](const auto& a, const auto& b) {
        return a.name < b.name;
    });
}

}  // namespace

double NumberDifference::rms() const {
    return count == 0 ? 0 : std::sqrt(squares / static_cast<double>(count));
}

double NumberDifference::cosine() const {
    if (one == 0 && other == 0)
        return 1;
    return one == 0 || other == 0 ? 0 : dot / std::sqrt(one) / std::sqrt(other);
}

void NumberDifference::add(const NumberDifference& more) {
    count += more.count;
    differing += more.differing;
    not_comparable += more.not_comparable;
    max = std::max(max, more.max);
    squares += more.squares;
    dot += more.dot;
    one += more.one;
    other += more.other;
}

std::vector<ConfigDifference> compare_configs(const lm::ConfigText& one,
                                              const lm::ConfigText& other) {
    std::map<std::string, std::string> left, right;
    flatten(one, one.root(), "", left);
    flatten(other, other.root(), "", right);
    std::vector<ConfigDifference> out;
    for (const auto& [key, value] : left) {
        auto twin = right.find(key);
        if (twin == right.end())
            out.push_back({key, value, ""});
        else if (twin->second != value)
            out.push_back({key, value, twin->second});
    }
    for (const auto& [key, value] : right)
        if (!left.contains(key))
            out.push_back({key, "", value});
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    return out;
}

NumberDifference compare_numbers(const lm::FolderTensor& one,
                                 const lm::FolderTensor& other,
                                 unsigned threads) {
    NumberDifference out;
    for (const lm::FolderTensor* tensor : {&one, &other})
        if (!lm::is_convertible(tensor->info->dtype) || lm::bits_of(tensor->info->dtype) < 8) {
            // No numbers that we know: the bytes are one or they are not.
            std::span<const std::byte> a = raw_bytes(one), b = raw_bytes(other);
            out.count = static_cast<std::uint64_t>(lm::elements(one.info->shape));
            bool same = one.info->dtype == other.info->dtype &&
                        std::equal(a.begin(), a.end(), b.begin(), b.end());
            out.not_comparable = same ? 0 : out.count;
            return out;
        }
    auto floats = [](const lm::FolderTensor& tensor, std::size_t first, std::size_t count) {
        const std::size_t size = static_cast<std::size_t>(lm::bits_of(tensor.info->dtype)) / 8;
        std::vector<float> values(count);
        lm::convert(tensor.info->dtype,
                    raw_bytes(tensor).subspan(first * size, count * size),
                    lm::Dtype::f32,
                    std::as_writable_bytes(std::span(values)));
        forget(tensor, first * size, count * size);
        return values;
    };
    in_pieces(
        static_cast<std::size_t>(lm::elements(one.info->shape)),
        threads,
        [&](std::size_t first, std::size_t count) {
            return compare_piece(floats(one, first, count), floats(other, first, count));
        },
        [&](const NumberDifference& piece) { out.add(piece); });
    one.file->check();
    other.file->check();
    return out;
}

Comparison compare(const fs::path& one,
                   const fs::path& other,
                   unsigned threads,
                   const std::function<void(std::uint64_t done, std::uint64_t total)>& progress) {
    Comparison out;
    out.config = compare_configs(read_text(one), read_text(other));
    out.has_weights = has_weights(one) && has_weights(other);
    if (out.has_weights)
        compare_weights(
            lm::TensorFolder::open(one), lm::TensorFolder::open(other), threads, progress, out);
    return out;
}

}  // namespace stillroom::checkpoint
