#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/host.h"
#include "engine/base/json.h"
#include "engine/base/units.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/data/dataset_folder.h"
#include "plugins/lm/train/flops.h"
#include "plugins/lm/weights/counts.h"
#include "plugins/lm/weights/processor.h"
#include "plugins/train/check.h"
#include "plugins/train/cost.h"
#include "plugins/train/distill_settings.h"

#include <fmt/format.h>

#include <array>

namespace stillroom::train {
namespace fs = std::filesystem;
namespace {

using Key = DistillSettings::Key;

std::optional<lm::ConfigFile> config_of(const StageContext& context, std::string_view port) {
    std::error_code ignored;
    if (port.empty() || !fs::exists(context.input(port) / "config.json", ignored))
        return std::nullopt;
    return lm::ConfigFile::read(context.input(port) / "config.json");
}

std::optional<std::int64_t> data_tokens(const StageContext& context) {
    if (!lm::has_dataset_info(context.input("data")))
        return std::nullopt;
    lm::Count tokens = lm::read_dataset_info(context.input("data")).tokens();
    return tokens.known() ? std::optional(tokens.least) : std::nullopt;
}

void check_settings(const Training& training) {
    lm::check_terms(training.terms);
    if (training.validate_only && training.eval_batches == 0)
        throw Error({}, "validate_only needs eval.batches of at least 1")
            .key(std::string(std::string_view(Key().validate_only)))
            .hint("eval.batches: 32")
            .exit_code(kExitUsage);
    double weights = training.terms.ce_weight;
    if (training.terms.kl)
        weights += training.terms.kl->weight;
    for (const HiddenWish& pair : training.hidden)
        weights += pair.weight;
    if (weights == 0 && !training.validate_only)
        throw Error({}, "every loss has the weight 0: nothing would be learnt")
            .key(std::string(std::string_view(Key().loss)))
            .hint("loss.kl.weight: 1")
            .exit_code(kExitUsage);
    if (training.keep == 0)
        throw Error({}, "checkpoint.keep 0 keeps no save to resume from")
            .key(std::string(std::string_view(Key().checkpoint.keep)))
            .hint("1 keeps the newest, -1 keeps all")
            .exit_code(kExitUsage);
}

/// Bounds may be set on numbers of the report.
void check_gates_of(const StageContext& context, const Training& training) {
    std::vector<std::string> names = {"steps",
                                      "samples",
                                      "tokens",
                                      "seconds",
                                      "tokens_per_second",
                                      "peak_memory_bytes",
                                      "skipped"};
    std::vector<std::string> terms = {"total", "ce"};
    if (training.distills())
        terms.insert(terms.end(), {"kl", "agreement"});
    std::vector<std::string> places;
    if (!training.validate_only)
        places.push_back("loss");
    if (training.eval_batches > 0)
        places.insert(places.end(), {"validation.first", "validation.last"});
    for (const std::string& place : places)
        for (const std::string& term : terms)
            names.push_back(place + "." + term);
    refuse_wrong_gates(context, training.gates, names);
}

void write_skeletons(DescribeContext& context, const Ports& ports) {
    // The model that comes out has the form of the one that went in.
    std::error_code ignored;
    for (const fs::directory_entry& entry :
         fs::directory_iterator(context.input(ports.student), ignored))
        if (entry.is_regular_file(ignored) && entry.path().filename() == "config.json")
            fs::copy_file(entry.path(),
                          context.output("model") / entry.path().filename(),
                          fs::copy_options::overwrite_existing,
                          ignored);
}

}  // namespace

void describe_training(DescribeContext& context, const Training& training, const Ports& ports) {
    check_settings(training);
    check_gates_of(context, training);
    std::optional<Lengths> lengths = lengths_of(training, data_tokens(context));
    if (training.distills() && !training.hidden.empty() && training.validate_only)
        context.log(LogLevel::info, "hidden states are compared, and nothing is learnt of them");
    std::optional<lm::ConfigFile> student = config_of(context, ports.student);
    if (!student)
        return;
    lm::Layout layout = checked_layout(training, context.ranks(), student->model());
    check_no_decay(training, student->model());
    write_skeletons(context, ports);
    std::optional<lm::ModelConfig> teacher;
    if (std::optional<lm::ConfigFile> file = config_of(context, ports.teacher))
        teacher = file->model();
    else if (!ports.teacher.empty())
        return;
    checked_words(context, ports, student->model(), teacher);
    if (teacher)
        check_hidden(training, student->model(), *teacher);
    if (lengths && lm::has_dataset_info(context.input("data")))
        tell_of_lengths(context,
                        training,
                        *lengths,
                        lm::read_dataset_info(context.input("data")).tokens().most,
                        student->model());
    bool wide = training.precision == "fp32" ||
                (training.precision == "auto" && !lm::cpu_multiplies_bf16());
    CostOf how{.layout = layout, .teacher_layout = layout, .wide = wide};
    if (teacher)
        how.teacher_layout = teacher_layout(training, layout, *teacher);
    if (lengths)
        how.steps = lengths->steps;
    MemoryParts memory = memory_of(training, student->model(), teacher, how);
    context.log(LogLevel::info, fmt::format("memory of a rank: {}", memory.text()));
    Cost cost;
    lm::Counts counts = lm::count(lm::weight_table(student->model()));
    cost.parameters = static_cast<std::uint64_t>(counts.total);
    cost.memory_bytes = static_cast<std::uint64_t>(memory.total());
    if (lengths) {
        double tokens = static_cast<double>(lengths->steps) *
                        static_cast<double>(training.global_batch * training.sequence);
        cost.flops =
            tokens *
            lm::training_flops(student->model(), teacher ? &*teacher : nullptr, training.sequence);
    }
    cost.disk_bytes = static_cast<std::uint64_t>(counts.total) * 4;
    context.cost(cost);
}

}  // namespace stillroom::train
