#include "plugins/evaluate/compare.h"

#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/json_value.h"
#include "engine/base/text.h"
#include "engine/plugin/gate.h"
#include "plugins/evaluate/compute.h"
#include "plugins/evaluate/table.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/tasks/tally.h"
#include "plugins/lm/weights/counts.h"
#include "plugins/lm/weights/weight_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace stillroom::evaluate {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLargestReport = std::size_t{256} << 20;

/// What is known of one model.
struct Contender {
    std::string name;
    std::int64_t parameters = 0, layers = 0, hidden = 0;
    std::int64_t file_bytes = 0;
    double memory_mib = 0;  ///< weights, and keys and values of one text, in what is computed in
    std::optional<double> perplexity, accuracy, accuracy_se;
    std::optional<lm::Pairing> against_first;  ///< on the same questions
    std::optional<Speed> speed;
};

Json report_in(const fs::path& folder) {
    return Json::parse(read_file(folder / "report.json", kLargestReport), kLargestReport);
}

std::optional<double> number_in(const Json& report, const char* key) {
    const Json* value = report.find(key);
    return value && value->is_number() ? std::optional(value->number()) : std::nullopt;
}

std::int64_t weight_bytes(const fs::path& folder) {
    std::int64_t bytes = 0;
    std::error_code ignored;
    for (const std::string& name : list_folder(folder))
        if (name.ends_with(".safetensors"))
            bytes += static_cast<std::int64_t>(fs::file_size(folder / name, ignored));
    return bytes;
}

double memory_of(const lm::ModelConfig& config,
                 std::int64_t parameters,
                 std::int64_t sequence,
                 std::string_view dtype) {
    std::int64_t each = dtype == "fp32" ? 4 : 2, cached = 0;
    for (const lm::Layer& layer : config.layers)
        if (layer.attention)
            cached += 2 * layer.attention->kv_heads * layer.attention->head_dim *
                      std::min(sequence, layer.attention->window.value_or(sequence));
    return static_cast<double>((parameters + cached) * each) / 1048576.0;
}

/// Right or not, for each question that was asked; nothing where the report does not say.
std::optional<std::vector<bool>> right_answers(const Json& report) {
    const Json *answers = report.find("answers"), *right = report.find("right");
    if (!answers || !right || !answers->is_map() || !right->is_map())
        return std::nullopt;
    std::vector<bool> out;
    for (const Json::Member& subject : answers->map()) {
        const Json* letters = right->find(subject.key);
        if (!letters || letters->string().size() != subject.value.string().size())
            return std::nullopt;
        for (std::size_t i = 0; i < letters->string().size(); i++)
            out.push_back(letters->string()[i] == subject.value.string()[i]);
    }
    return out;
}

/// Both were asked the same questions: then they can be paired.
std::optional<lm::Pairing> paired_reports(const Json& first, const Json& other) {
    for (const char* key : {"questions_digest", "subset", "seed", "fraction", "asked"}) {
        const Json *a = first.find(key), *b = other.find(key);
        if (!a || !b || a->text() != b->text())
            return std::nullopt;
    }
    auto a = right_answers(first), b = right_answers(other);
    if (!a || !b || a->size() != b->size())
        return std::nullopt;
    return lm::paired(*b, *a);
}

void write_optional(JsonWriter& out, const char* key, const std::optional<double>& value) {
    out.key(key), value ? out.number(*value) : out.null();
}

void write_contender(JsonWriter& out, const Contender& one, const Contender& first) {
    auto ratio = [](std::optional<double> a, std::optional<double> b) {
        return a && b && *b != 0 ? std::optional(*a / *b) : std::nullopt;
    };
    out.begin_object();
    out.key("name"), out.string(one.name);
    out.key("parameters"), out.integer(one.parameters);
    out.key("layers"), out.integer(one.layers);
    out.key("hidden"), out.integer(one.hidden);
    out.key("file_bytes"), out.integer(one.file_bytes);
    out.key("memory_mib"), out.number(one.memory_mib);
    write_optional(out, "perplexity", one.perplexity);
    write_optional(out, "accuracy", one.accuracy);
    write_optional(out, "accuracy_se", one.accuracy_se);
    write_optional(
        out, "reads_per_second", one.speed ? std::optional(one.speed->reads) : std::nullopt);
    write_optional(
        out, "writes_per_second", one.speed ? std::optional(one.speed->writes) : std::nullopt);
    out.key("parameters_ratio"),
        out.number(static_cast<double>(one.parameters) / static_cast<double>(first.parameters));
    write_optional(out, "perplexity_ratio", ratio(one.perplexity, first.perplexity));
    if (one.against_first) {
        out.key("accuracy_difference"), out.number(one.against_first->difference);
        out.key("accuracy_difference_se"), out.number(one.against_first->standard_error);
    }
    out.end_object();
}

std::string compare_json(const std::vector<Contender>& all) {
    JsonWriter out(1);
    out.begin_object();
    out.key("models"), out.begin_array();
    for (const Contender& one : all)
        write_contender(out, one, all.front());
    out.end_array();
    out.key("last"), write_contender(out, all.back(), all.front());
    out.end_object();
    return out.take();
}

std::string compare_text(const std::vector<Contender>& all) {
    auto told = [](const std::optional<double>& value, int digits) {
        return value ? fmt::format("{:.{}f}", *value, digits) : std::string("-");
    };
    std::vector<std::vector<std::string>> rows = {{"model"},
                                                  {"parameters"},
                                                  {"of the first"},
                                                  {"layers x hidden"},
                                                  {"file, MiB"},
                                                  {"memory, MiB"},
                                                  {"perplexity"},
                                                  {"MMLU, %"},
                                                  {"less than the first"},
                                                  {"reads, tokens/s"},
                                                  {"writes, tokens/s"}};
    for (const Contender& one : all) {
        std::vector<std::string> column = {
            escape_controls(one.name),
            fmt::format("{}", one.parameters),
            fmt::format("{:.1f} %",
                        100 * static_cast<double>(one.parameters) /
                            static_cast<double>(all.front().parameters)),
            fmt::format("{} x {}", one.layers, one.hidden),
            fmt::format("{:.1f}", static_cast<double>(one.file_bytes) / 1048576.0),
            fmt::format("{:.1f}", one.memory_mib),
            told(one.perplexity, 3),
            one.accuracy
                ? fmt::format(
                      "{:.2f} +- {:.2f}", 100 * *one.accuracy, 100 * one.accuracy_se.value_or(0))
                : "-",
            one.against_first ? fmt::format("{:+.2f} +- {:.2f}",
                                            100 * one.against_first->difference,
                                            100 * one.against_first->standard_error)
                              : "-",
            told(one.speed ? std::optional(one.speed->reads) : std::nullopt, 1),
            told(one.speed ? std::optional(one.speed->writes) : std::nullopt, 1)};
        for (std::size_t i = 0; i < rows.size(); i++)
            rows[i].push_back(column[i]);
    }
    std::erase_if(rows, [](const std::vector<std::string>& row) {
        return std::all_of(
            row.begin() + 1, row.end(), [](const std::string& cell) { return cell == "-"; });
    });
    return table_text(rows);
}

/// As many of a port's reports as there are models, or none.
void check_count(const StageContext& context, const char* port, std::size_t models) {
    std::size_t reports = context.inputs(port).size();
    if (reports != 0 && reports != models)
        context.refuse(port,
                       fmt::format("{} for {}", plural(reports, "report"), plural(models, "model")),
                       "a report for each model, in their order");
}

}  // namespace

void Compare::describe(DescribeContext& context) const {
    std::size_t models = context.inputs("models").size();
    if (!settings_.names.empty() && settings_.names.size() != models)
        context.refuse(
            Settings::Key().names,
            fmt::format(
                "{} for {}", plural(settings_.names.size(), "name"), plural(models, "model")),
            "a name for each model, in their order");
    check_count(context, "perplexity", models);
    check_count(context, "mmlu", models);
    refuse_wrong_gates(context, gates_of(settings_.gate), std::vector<std::string>{"last."});
}

void Compare::run(RunContext& context) {
    std::vector<fs::path> folders = context.inputs("models");
    std::vector<fs::path> perplexities = context.inputs("perplexity"),
                          exams = context.inputs("mmlu");
    std::vector<Contender> all;
    std::optional<Json> first_exam;
    for (std::size_t i = 0; i < folders.size(); i++) {
        if (context.cancelled())
            return;
        context.progress(static_cast<double>(i) / static_cast<double>(folders.size()),
                         fmt::format("model {} of {}", i + 1, folders.size()));
        lm::ModelConfig config = lm::ConfigFile::read(folders[i] / "config.json").model();
        Contender one;
        one.name = settings_.names.empty() ? fmt::format("{}", i + 1) : settings_.names[i];
        one.parameters = lm::count(lm::weight_table(config)).total;
        one.layers = std::ssize(config.layers);
        one.hidden = config.hidden;
        one.file_bytes = weight_bytes(folders[i]);
        std::string dtype(word(settings_.dtype));
        if (settings_.speed_tokens > 0) {
            one.speed = Speed();
            STILLROOM_SECOND_HALF("evaluate_compute", stillroom_evaluate_speed)
            (settings_, folders[i], context, *one.speed);
            dtype = one.speed->dtype;
        }
        one.memory_mib = memory_of(config, one.parameters, settings_.sequence, dtype);
        if (!perplexities.empty())
            one.perplexity = number_in(report_in(perplexities[i]), "perplexity");
        if (!exams.empty()) {
            Json exam = report_in(exams[i]);
            one.accuracy = number_in(exam, "accuracy");
            one.accuracy_se = number_in(exam, "se");
            if (first_exam)
                one.against_first = paired_reports(*first_exam, exam);
            else
                first_exam = std::move(exam);
        }
        all.push_back(std::move(one));
    }
    std::string json = compare_json(all), text = compare_text(all);
    fs::path report = context.output("report");
    write_record_file(report / "report.json", json + "\n");
    write_record_file(report / "report.md", text);
    context.text(text);
    check_gates(context, gates_of(settings_.gate), json);
}

}  // namespace stillroom::evaluate
