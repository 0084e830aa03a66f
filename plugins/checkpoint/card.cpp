#include "plugins/checkpoint/card.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/json_value.h"
#include "engine/base/text.h"
#include "engine/base/units.h"
#include "plugins/lm/config/families.h"
#include "plugins/lm/config/grouped.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostMeasured = 200;
constexpr std::size_t kMostReport = std::size_t{16} << 20;

void gather(const Json& value, const std::string& name, int depth, std::vector<Measured>& out) {
    if (out.size() >= kMostMeasured)
        return;
    if (value.is_number() && !name.empty() && std::isfinite(value.number()))
        out.push_back({name, value.number()});
    if (value.is_map() && depth < 4)
        for (const Json::Member& member : value.map())
            gather(
                member.value, name.empty() ? member.key : name + "." + member.key, depth + 1, out);
}

/// A JSON string is one of YAML too.
std::string yaml_text(std::string_view text) {
    return json_quoted(shorten(text, 300));
}

/// In a cell or a line of Markdown: nothing in it is markup.
std::string plain(std::string_view text) {
    std::string out;
    for (char c : escape_controls(shorten(text, 300))) {
        if (std::string_view("\\`*_{}[]<>|#").find(c) != std::string_view::npos)
            out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string("\\") + c;
        else
            out += c;
    }
    return out;
}

void put_list(std::string& out, std::string_view key, const std::vector<std::string>& values) {
    if (values.empty())
        return;
    out += fmt::format("{}:\n", key);
    for (const std::string& value : values)
        out += fmt::format("- {}\n", yaml_text(value));
}

void copy_key(std::string& out, const CardFacts& facts, const std::string& key) {
    auto found = facts.source.find(key);
    if (found == facts.source.end())
        return;
    if (found->second.size() == 1)
        out += fmt::format("{}: {}\n", key, yaml_text(found->second.front()));
    else
        put_list(out, key, found->second);
}

bool stands_on(const CardFacts& facts, std::string_view plugin) {
    return std::any_of(facts.lineage.steps.begin(),
                       facts.lineage.steps.end(),
                       [&](const auto& step) { return step.use.starts_with(plugin); });
}

std::vector<std::string> tags_of(const CardFacts& facts) {
    std::vector<std::string> tags = {"stillroom"};
    if (stands_on(facts, "prune."))
        tags.push_back("pruned");
    if (stands_on(facts, "train.distill"))
        tags.push_back("distilled");
    tags.insert(tags.end(), facts.tags.begin(), facts.tags.end());
    return tags;
}

/// Names and types of the Hub's metrics; what is none of them stays in the table below.
void put_results(std::string& out, const CardFacts& facts) {
    std::string rows;
    for (const auto& [source, numbers] : facts.reports)
        for (const Measured& one : numbers) {
            std::string metric = one.name.substr(one.name.rfind('.') + 1);
            if (metric != "acc" && metric != "perplexity" && metric != "acc_norm")
                continue;
            std::string task = one.name.size() > metric.size()
                                   ? one.name.substr(0, one.name.size() - metric.size() - 1)
                                   : source;
            rows += fmt::format(
                "  - task: {{type: text-generation}}\n    dataset: {{name: {}, type: {}}}\n"
                "    metrics:\n    - {{type: {}, value: {}}}\n",
                yaml_text(task),
                yaml_text(task),
                metric,
                number_text(one.value));
        }
    if (!rows.empty())
        out += fmt::format("model-index:\n- name: {}\n  results:\n{}", yaml_text(facts.name), rows);
}

std::string front_matter(const CardFacts& facts) {
    std::string out = "---\n";
    std::vector<std::string> base = base_models(facts);
    if (base.size() == 1)
        out += fmt::format("base_model: {}\n", yaml_text(base.front()));
    else
        put_list(out, "base_model", base);
    if (!base.empty())
        out += "base_model_relation: finetune\n";
    out += "library_name: transformers\npipeline_tag: text-generation\n";
    if (!facts.license.empty())
        out += fmt::format("license: {}\n", yaml_text(facts.license));
    else
        for (const char* key : {"license", "license_name", "license_link"})
            copy_key(out, facts, key);
    copy_key(out, facts, "language");
    copy_key(out, facts, "datasets");
    put_list(out, "tags", tags_of(facts));
    put_results(out, facts);
    return out + "---\n";
}

std::string about(const CardFacts& facts) {
    const Inspection& model = facts.model;
    std::string out = fmt::format(
        "\n# {}\n\nA {} model of {} parameters ({} without embeddings), {} layers, hidden "
        "size {}, stored as {} ({}).\n",
        plain(facts.name),
        lm::traits_of(model.model.family).architecture,
        lm::grouped(model.counts.total),
        lm::grouped(model.counts.total - model.counts.embedding),
        model.model.layers.size(),
        model.model.hidden,
        facts.dtype,
        size_text(model.memory_bytes));
    for (const std::string& base : base_models(facts))
        out += fmt::format("\nIt came from [{0}](https://huggingface.co/{0}).\n", plain(base));
    return out;
}

std::string recipe(const CardFacts& facts) {
    if (facts.lineage.steps.empty())
        return {};
    std::string out =
        "\n## How it was made\n\n| step | stage | from | settings |\n|---|---|---|---|\n";
    for (const Step& step : facts.lineage.steps) {
        std::string settings, inputs;
        for (const auto& [key, value] : step.settings)
            settings +=
                fmt::format("{}{}: {}", settings.empty() ? "" : ", ", plain(key), plain(value));
        for (const std::string& input : step.inputs)
            inputs += fmt::format("{}{}", inputs.empty() ? "" : ", ", plain(input));
        out += fmt::format(
            "| {} | {} | {} | {} |\n", plain(step.name), plain(step.use), inputs, settings);
    }
    return out;
}

std::string results(const CardFacts& facts) {
    std::string out;
    for (const auto& [source, numbers] : facts.reports)
        for (const Measured& one : numbers)
            out += fmt::format(
                "| {} | {} | {} |\n", plain(source), plain(one.name), number_text(one.value));
    return out.empty() ? "" : "\n## Measured\n\n| by | what | value |\n|---|---|---|\n" + out;
}

std::string runtimes(const CardFacts& facts) {
    std::string out = "\n## What loads it\n\n| program | loads | note |\n|---|---|---|\n";
    for (const lm::LoadsIn& one : facts.model.loads_in)
        out += fmt::format("| {} | {} | {} |\n", one.runtime, one.loads ? "yes" : "no", one.note);
    return out;
}

}  // namespace

std::vector<Measured> measured_in(const fs::path& report) {
    std::vector<Measured> out;
    std::error_code ignored;
    if (fs::exists(report / "report.json", ignored))
        gather(
            Json::parse(read_file(report / "report.json", kMostReport), kMostReport), "", 0, out);
    return out;
}

std::vector<std::string> base_models(const CardFacts& facts) {
    if (!facts.base.empty())
        return facts.base;
    if (!facts.lineage.base.empty())
        return facts.lineage.base;
    auto found = facts.source.find("base_model");
    return found == facts.source.end() ? std::vector<std::string>() : found->second;
}

std::string card_of(const CardFacts& facts) {
    std::string out =
        front_matter(facts) + about(facts) + results(facts) + recipe(facts) + runtimes(facts);
    if (!facts.checked.empty())
        out += fmt::format("\n## Checked\n\n{}\n", facts.checked);
    out +=
        "\n`stillroom.export.json` lists the files with their digests. Nothing above says what the "
        "model may say: it has the limits of the models that it came from."
        "\n\nMade with Stillroom.\n";
    return out;
}

}  // namespace stillroom::checkpoint
