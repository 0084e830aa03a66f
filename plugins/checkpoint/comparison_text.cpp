// What a comparison found, for programs and for people.

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "plugins/checkpoint/comparison.h"
#include "plugins/lm/config/grouped.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::checkpoint {
namespace {

constexpr std::size_t kMostShown = 10;

std::size_t count_of(const Comparison& found, bool (TensorDifference::*is)() const) {
    return static_cast<std::size_t>(std::count_if(
        found.tensors.begin(), found.tensors.end(), [&](const auto& one) { return (one.*is)(); }));
}

std::size_t equal_count(const Comparison& found) {
    return count_of(found, &TensorDifference::is_equal);
}

void put_numbers(JsonWriter& out, const NumberDifference& numbers) {
    out.key("numbers"), out.integer(static_cast<std::int64_t>(numbers.count));
    out.key("differing"), out.integer(static_cast<std::int64_t>(numbers.differing));
    out.key("not_comparable"), out.integer(static_cast<std::int64_t>(numbers.not_comparable));
    out.key("max"), out.number(numbers.max);
    out.key("rms"), out.number(numbers.rms());
    out.key("cosine"), out.number(numbers.cosine());
}

void put_names(JsonWriter& out, std::string_view key, const std::vector<std::string>& names) {
    out.key(key), out.begin_array();
    for (const std::string& name : names)
        out.string(name);
    out.end_array();
}

void put_shape(JsonWriter& out, std::string_view key, const lm::Shape& shape) {
    out.key(key), out.begin_array();
    for (std::int64_t size : shape)
        out.integer(size);
    out.end_array();
}

void put_tensors(JsonWriter& out, const Comparison& found) {
    out.key("tensor_list"), out.begin_array();
    for (const TensorDifference& tensor : found.tensors) {
        out.begin_object();
        out.key("name"), out.string(tensor.name);
        out.key("equal"), out.boolean(tensor.is_equal());
        put_shape(out, "shape", tensor.shape);
        put_shape(out, "other_shape", tensor.other_shape);
        out.key("dtype"), out.string(tensor.dtype);
        out.key("other_dtype"), out.string(tensor.other_dtype);
        if (tensor.same_shape())
            put_numbers(out, tensor.numbers);
        out.end_object();
    }
    out.end_array();
}

std::string what(const TensorDifference& tensor) {
    if (!tensor.same_shape())
        return fmt::format(
            "{} and {}", lm::to_string(tensor.shape), lm::to_string(tensor.other_shape));
    std::string types = tensor.dtype == tensor.other_dtype
                            ? tensor.dtype
                            : fmt::format("{} and {}", tensor.dtype, tensor.other_dtype);
    return fmt::format("{} {}", types, lm::to_string(tensor.shape));
}

/// Unequal shapes first, then those that differ most.
std::vector<const TensorDifference*> by_difference(const Comparison& found, bool list) {
    std::vector<const TensorDifference*> out;
    for (const TensorDifference& tensor : found.tensors)
        if (list || !tensor.is_equal())
            out.push_back(&tensor);
    if (list)
        return out;
    std::stable_sort(out.begin(), out.end(), [](const auto* a, const auto* b) {
        if (a->same_shape() != b->same_shape())
            return !a->same_shape();
        return a->numbers.rms() > b->numbers.rms();
    });
    return out;
}

std::string row_of(const TensorDifference& tensor) {
    if (!tensor.same_shape())
        return fmt::format("| {} | {} | - | - | - |\n", lm::shown(tensor.name), what(tensor));
    return fmt::format("| {} | {} | {:.6g} | {:.6g} | {:.8f} |\n",
                       lm::shown(tensor.name),
                       what(tensor),
                       tensor.numbers.max,
                       tensor.numbers.rms(),
                       tensor.numbers.cosine());
}

std::string names_text(std::string_view whose, std::vector<std::string> names) {
    if (names.empty())
        return {};
    std::size_t all = names.size();
    names.resize(std::min(all, kMostShown));
    if (all > names.size())
        names.push_back(fmt::format("{} more", all - kMostShown));
    return fmt::format("\nOnly in {}: {}\n", whose, lm::shown(join(names)));
}

void add_config(std::string& out, const Comparison& found) {
    if (found.config.empty()) {
        out += "config.json says the same.\n";
        return;
    }
    out += "| config.json | model | other |\n|---|---|---|\n";
    auto cell = [](const std::string& text) {
        return text.empty() ? std::string("-") : escape_controls(shorten(text, 60));
    };
    for (const ConfigDifference& one : found.config)
        out += fmt::format("| {} | {} | {} |\n",
                           escape_controls(shorten(one.key, 80)),
                           cell(one.one),
                           cell(one.other));
}

}  // namespace

std::string json_of(const Comparison& found) {
    JsonWriter out(2);
    out.begin_object();
    bool equal = found.config.empty() && found.only_one.empty() && found.only_other.empty() &&
                 equal_count(found) == found.tensors.size();
    out.key("equal"), out.boolean(equal);
    out.key("config"), out.begin_array();
    for (const ConfigDifference& one : found.config) {
        out.begin_object();
        out.key("key"), out.string(one.key);
        out.key("a"), one.one.empty() ? out.null() : out.string(one.one);
        out.key("b"), one.other.empty() ? out.null() : out.string(one.other);
        out.end_object();
    }
    out.end_array();
    out.key("has_weights"), out.boolean(found.has_weights);
    out.key("tensors"), out.integer(static_cast<std::int64_t>(found.tensors.size()));
    out.key("equal_values"),
        out.integer(static_cast<std::int64_t>(count_of(found, &TensorDifference::same_numbers)));
    out.key("equal_tensors"), out.integer(static_cast<std::int64_t>(equal_count(found)));
    put_names(out, "only_in_model", found.only_one);
    put_names(out, "only_in_other", found.only_other);
    put_numbers(out, found.all);
    put_tensors(out, found);
    out.end_object();
    return out.take() + "\n";
}

std::string text_of(const Comparison& found, bool list) {
    std::string out;
    add_config(out, found);
    if (!found.has_weights)
        return out + "\nNot both folders hold weights: only their configs were compared.\n";
    out += fmt::format("\n{} in both, {} of them equal",
                       plural(found.tensors.size(), "tensor"),
                       lm::grouped(static_cast<std::int64_t>(equal_count(found))));
    if (std::size_t more = count_of(found, &TensorDifference::same_numbers) - equal_count(found))
        out += fmt::format(", {} more but for their type",
                           lm::grouped(static_cast<std::int64_t>(more)));
    if (found.all.differing + found.all.not_comparable > 0)
        out +=
            fmt::format("; {} of {} numbers differ, by at most {:.6g}, RMS {:.6g}, cosine {:.8f}",
                        lm::grouped(static_cast<std::int64_t>(found.all.differing)),
                        lm::grouped(static_cast<std::int64_t>(found.all.count)),
                        found.all.max,
                        found.all.rms(),
                        found.all.cosine());
    if (found.all.not_comparable > 0)
        out += fmt::format("; {} cannot be compared (NaN, infinite, or no floats)",
                           lm::grouped(static_cast<std::int64_t>(found.all.not_comparable)));
    out += '\n';
    out += names_text("model", found.only_one) + names_text("other", found.only_other);
    std::vector<const TensorDifference*> shown = by_difference(found, list);
    if (shown.empty())
        return out;
    out += "\n| tensor | | max | RMS | cosine |\n|---|---|---|---|---|\n";
    for (std::size_t i = 0; i < shown.size() && (list || i < kMostShown); ++i)
        out += row_of(*shown[i]);
    if (!list && shown.size() > kMostShown)
        out += fmt::format("\n{} more differ; list_tensors=true shows all.\n",
                           lm::grouped(static_cast<std::int64_t>(shown.size() - kMostShown)));
    return out;
}

}  // namespace stillroom::checkpoint
