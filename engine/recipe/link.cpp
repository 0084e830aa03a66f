#include "engine/recipe/link.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace stillroom {
namespace {

bool is_name(std::string_view text) {
    auto first = [](char c) {
        return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_';
    };
    auto rest = [&](char c) {
        return first(c) || std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-';
    };
    return !text.empty() && first(text.front()) && std::all_of(text.begin(), text.end(), rest);
}

std::string wanted_by(const Want& want) {
    if (want.stage.empty())
        return fmt::format("the output '{}'", want.port);
    return fmt::format("port '{}' of stage '{}'", want.port, want.stage);
}

std::string offered(const std::vector<Output>& outputs) {
    std::vector<std::string> words;
    for (const Output& output : outputs)
        words.push_back(fmt::format("{} ({})", output.name, output.type));
    return words.empty() ? "it has no outputs" : "its outputs: " + join(words);
}

bool fits(const Output& output, const Want& want) {
    return want.type.empty() || output.type == want.type ||
           std::find(want.accepts.begin(), want.accepts.end(), output.type) != want.accepts.end();
}

/// "no stage is called so", or that the text has no form at all.
void refuse_unknown(const Node& reference,
                    std::string_view stage,
                    const Want& want,
                    const Offers& offers,
                    Diagnostics& diagnostics) {
    std::vector<std::string> names;
    for (const auto& [name, offer] : offers)
        names.push_back(name);
    std::string hint = did_you_mean(stage, names);
    if (hint.empty())
        hint = fmt::format("a file is written with a '/', as in './{}'; a model as 'hf:ORG/NAME'",
                           reference.text);
    diagnostics
        .error(code::kUnknownStage,
               reference.where,
               fmt::format("there is no stage '{}' for {}", stage, wanted_by(want)))
        .with_hint(hint);
}

const Output* choose_by_name(const Node& reference,
                             std::string_view name,
                             const Offer& offer,
                             const Want& want,
                             Diagnostics& diagnostics) {
    auto found = std::find_if(offer.outputs.begin(),
                              offer.outputs.end(),
                              [&](const Output& output) { return output.name == name; });
    if (found != offer.outputs.end())
        return &*found;
    std::vector<std::string> names;
    for (const Output& output : offer.outputs)
        names.push_back(output.name);
    std::string hint = did_you_mean(name, names);
    for (const auto& [absent, setting] : offer.absent)
        if (absent == name)
            hint = fmt::format("it is there only with the setting '{}'", setting);
    diagnostics
        .error(code::kUnknownOutput,
               reference.where,
               fmt::format("'{}' has no output '{}' for {}",
                           named_stage(reference.text),
                           name,
                           wanted_by(want)))
        .note(offer.where, offered(offer.outputs))
        .with_hint(hint);
    return nullptr;
}

const Output* choose_by_type(const Node& reference,
                             const Offer& offer,
                             const Want& want,
                             Diagnostics& diagnostics) {
    std::vector<const Output*> fitting;
    for (const Output& output : offer.outputs)
        if (fits(output, want))
            fitting.push_back(&output);
    // A recipe's output takes the stage's output of its own name first.
    if (want.type.empty())
        for (const Output* output : fitting)
            if (output->name == want.port)
                return output;
    if (fitting.size() == 1)
        return fitting.front();
    if (fitting.empty()) {
        diagnostics
            .error(code::kPortType,
                   reference.where,
                   want.type.empty() ? fmt::format("'{}' has no output", reference.text)
                                     : fmt::format("{} takes {}, '{}' makes none",
                                                   wanted_by(want),
                                                   one_of_type(want.type),
                                                   reference.text))
            .note(offer.where,
                  fmt::format("'{}' stands here; {}", reference.text, offered(offer.outputs)));
        return nullptr;
    }
    std::vector<std::string> names;
    for (const Output* output : fitting)
        names.push_back(fmt::format("'{}.{}'", reference.text, output->name));
    diagnostics
        .error(code::kSeveralOutputs,
               reference.where,
               fmt::format("'{}' has {} outputs that {} could take",
                           reference.text,
                           fitting.size(),
                           wanted_by(want)))
        .note(offer.where, fmt::format("'{}' stands here", reference.text))
        .with_hint(fmt::format("write {}", join(names, "or")));
    return nullptr;
}

}  // namespace

bool is_outside(std::string_view text) {
    return text.starts_with("hf:") || text.starts_with("file:") ||
           text.find('/') != std::string_view::npos;
}

std::string_view scheme_of(std::string_view text) {
    std::size_t colon = text.find("://");
    bool named = colon != std::string_view::npos && is_name(text.substr(0, colon));
    return named ? text.substr(0, colon) : std::string_view();
}

std::string one_of_type(std::string_view type) {
    if (type.ends_with('s'))
        return std::string(type);
    return fmt::format("{} {}", type.starts_with('a') ? "an" : "a", type);
}

std::string_view named_stage(std::string_view text) {
    return text.substr(0, text.find('.'));
}

std::optional<Feed> link(const Node& reference,
                         const Want& want,
                         const Offers& offers,
                         Diagnostics& diagnostics) {
    if (reference.kind == Kind::list || reference.kind == Kind::map || reference.is_null()) {
        diagnostics
            .error(code::kReferenceForm,
                   reference.where,
                   fmt::format("{} takes the name of a stage, here is {}",
                               wanted_by(want),
                               kind_name(reference.kind)))
            .with_hint("write a plain name, or stage.output");
        return std::nullopt;
    }
    std::string_view text = reference.text;
    if (text.find("${") != std::string_view::npos && !diagnostics.ok())
        return std::nullopt;  // it could not be resolved, which is reported
    std::string_view stage = named_stage(text);
    std::string_view output =
        text.size() > stage.size() ? text.substr(stage.size() + 1) : std::string_view();
    bool well_formed = is_name(stage) && (text.size() == stage.size() || is_name(output));
    if (!well_formed) {
        diagnostics
            .error(code::kReferenceForm,
                   reference.where,
                   fmt::format("{} is no name of a stage, {} wants one",
                               describe_value(reference),
                               wanted_by(want)))
            .with_hint("write a plain name, stage.output, 'hf:ORG/NAME' or a path with a '/'");
        return std::nullopt;
    }
    auto found = offers.find(stage);
    if (found == offers.end()) {
        refuse_unknown(reference, stage, want, offers, diagnostics);
        return std::nullopt;
    }
    const Offer& offer = found->second;
    if (offer.broken)
        return std::nullopt;
    if (offer.left_out) {
        diagnostics
            .error(code::kStageLeftOut,
                   reference.where,
                   fmt::format("{} needs '{}', which is left out", wanted_by(want), stage))
            .note(offer.where, fmt::format("'{}' has `when: false`", stage));
        return std::nullopt;
    }
    const Output* chosen = output.empty()
                               ? choose_by_type(reference, offer, want, diagnostics)
                               : choose_by_name(reference, output, offer, want, diagnostics);
    if (!chosen)
        return std::nullopt;
    if (!fits(*chosen, want)) {
        diagnostics
            .error(code::kPortType,
                   reference.where,
                   fmt::format("{} takes {}, '{}' is {}",
                               wanted_by(want),
                               one_of_type(want.type),
                               text,
                               one_of_type(chosen->type)))
            .note(offer.where, fmt::format("'{}' stands here; {}", stage, offered(offer.outputs)));
        return std::nullopt;
    }
    Feed feed = chosen->feed;
    feed.where = reference.where;
    return feed;
}

}  // namespace stillroom
