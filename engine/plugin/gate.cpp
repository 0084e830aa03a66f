#include "engine/plugin/gate.h"

#include "engine/base/json.h"
#include "engine/base/json_value.h"
#include "engine/base/text.h"
#include "engine/plugin/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace stillroom {
namespace {

std::string gate_key(std::string_view name) {
    return setting_below("gate", name);
}

/// The whole name, or a key and what is below it.
const Json* found(const Json& at, std::string_view name) {
    if (const Json* whole = at.find(name))
        return whole;
    for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1))
        if (const Json* below = at.find(name.substr(0, dot)))
            if (const Json* deeper = found(*below, name.substr(dot + 1)))
                return deeper;
    return nullptr;
}

bool is_one_of(std::string_view name, std::span<const std::string> names) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& one) {
        return one.ends_with('.') ? name.starts_with(one) : name == one;
    });
}

std::string hint_for(std::string_view name, std::span<const std::string> names) {
    std::string hint = did_you_mean(name, names);
    return hint.empty() ? fmt::format("its numbers are {}", join(names)) : hint;
}

/// What is wrong with the number, or nothing.
std::string complaint(std::string_view name, const Json& value, const GateBounds& bounds) {
    double number = value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.number();
    std::string text = number_text(number);
    if (bounds.min && !(number >= *bounds.min))
        return fmt::format("{} is {}, below {}", name, text, number_text(*bounds.min));
    if (bounds.max && !(number <= *bounds.max))
        return fmt::format("{} is {}, above {}", name, text, number_text(*bounds.max));
    return "";
}

}  // namespace

void refuse_wrong_gates(const StageContext& context,
                        const Gates& gates,
                        std::span<const std::string> names) {
    for (const auto& [name, bounds] : gates) {
        if (!is_one_of(name, names))
            context.refuse(gate_key(name),
                           fmt::format("the report has no number '{}'", name),
                           hint_for(name, names));
        if (bounds.min && bounds.max && *bounds.min > *bounds.max)
            context.refuse(gate_key(name),
                           fmt::format("no number is at least {} and at most {}",
                                       number_text(*bounds.min),
                                       number_text(*bounds.max)),
                           "exchange min and max");
    }
}

void check_gates(RunContext& context, const Gates& gates, std::string_view report_json) {
    if (gates.empty())
        return;
    Json report = Json::parse(report_json);
    std::vector<std::string> complaints;
    for (const auto& [name, bounds] : gates) {
        const Json* value = found(report, name);
        bool number = value && (value->is_number() || value->is_null() ||
                                (value->is_string() &&
                                 (value->string() == "nan" || value->string().ends_with("inf"))));
        if (!number)
            throw Error({}, fmt::format("the report has no number '{}'", name))
                .key(gate_key(name))
                .exit_code(kExitUsage);
        if (std::string text = complaint(name, *value, bounds); !text.empty())
            complaints.push_back(std::move(text));
    }
    if (!complaints.empty())
        context.gate(fmt::format("{}", fmt::join(complaints, "; ")));
}

}  // namespace stillroom
