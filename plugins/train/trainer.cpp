#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/plugin/gate.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/modules/load.h"
#include "plugins/lm/parallel/crossing.h"
#include "plugins/lm/train/flops.h"
#include "plugins/lm/train/loop.h"
#include "plugins/lm/weights/small_files.h"
#include "plugins/train/compute.h"
#include "plugins/train/machine.h"
#include "plugins/train/model_out.h"
#include "plugins/train/projections.h"
#include "plugins/train/report.h"
#include "plugins/train/teacher_in.h"
#include "plugins/train/telling.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

namespace stillroom::train {
namespace fs = std::filesystem;
namespace {

/// The device's, or this process's.
std::uint64_t peak_memory(at::Device device) {
    if (!device.is_cpu())
        return static_cast<std::uint64_t>(c10::getDeviceAllocator(device.type())
                                              ->getDeviceStats(device.index())
                                              .allocated_bytes[0]
                                              .peak);
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

/// Every rank gets the first one's number.
std::int64_t agreed(const lm::Comm& world, std::int64_t mine, std::string_view name) {
    at::Tensor number = at::full({1}, mine, at::kLong);
    world.broadcast(number, 0, name).wait();
    return number.item<std::int64_t>();
}

lm::SampleRequest train_request(const Training& training, bool has_valid, std::int64_t samples) {
    return {.sequence = training.sequence,
            .samples = samples,
            .split = has_valid ? "1" : training.split,
            .part = lm::SplitPart::train,
            .seed = training.seed};
}

class Trainer {
public:
    Trainer(const Training& training, const Ports& ports, RunContext& context)
        : training_(training),
          ports_(ports),
          context_(context),
          machine_(machine_of(context, training.precision)),
          student_folder_(context.input(ports.student)),
          student_config_(lm::ConfigFile::read(student_folder_ / "config.json").model()) {
        if (!ports.teacher.empty())
            teacher_config_ =
                lm::ConfigFile::read(context.input(ports.teacher) / "config.json").model();
        words_ = checked_words(context, ports, student_config_, teacher_config_);
        if (teacher_config_)
            check_hidden(training, student_config_, *teacher_config_);
        mesh_ = lm::Mesh::over(machine_.world,
                               checked_layout(training, machine_.world.size(), student_config_));
        open_data();
        make_learning();
    }

    void run() {
        lm::TrainingPoint point;
        point.seed = training_.seed;
        std::optional<fs::path> state = find(point);
        if (state)
            lm::restore(lm::StateTensors::open(*state), *student_);
        telling_.emplace(
            training_,
            context_,
            Telling::About{.steps = plan_.steps,
                           .global_batch = plan_.global_batch,
                           .ranks = machine_.world.size(),
                           .flops_a_token = flops_a_token(),
                           .resumed = state ? std::optional(point.step) : std::nullopt});
        if (training_.validate_only)
            return validate(point);
        if (state && is_first())
            context_.log(LogLevel::info,
                         fmt::format("going on after step {} of {}", point.step, plan_.steps));
        open_writer(point);
        if (!learn(point))
            throw Error({}, fmt::format("stopped after step {} of {}", point.step, plan_.steps))
                .exit_code(kExitStopped);
        finish(point);
    }

private:
    bool is_first() const { return machine_.world.rank() == 0; }
    bool validates() const { return valid_.has_value(); }

    void open_data() {
        bool has_valid = context_.has("valid");
        auto data =
            std::make_shared<const lm::DatasetFolder>(lm::open_dataset(context_.input("data")));
        lengths_ = *lengths_of(training_, data->tokens());
        if (is_first())
            tell_of_lengths(context_, training_, lengths_, data->tokens(), student_config_);
        train_.emplace(
            data, train_request(training_, has_valid, lengths_.steps * training_.global_batch));
        eod_ = data->info.eod;
        if (training_.eval_batches == 0)
            return;
        lm::SampleRequest request{.sequence = training_.sequence,
                                  .samples = training_.eval_batches * training_.global_batch,
                                  .split = has_valid ? "1" : training_.split,
                                  .part = has_valid ? lm::SplitPart::train : lm::SplitPart::valid,
                                  .seed = training_.seed};
        try {
            valid_.emplace(has_valid ? std::make_shared<const lm::DatasetFolder>(
                                           lm::open_dataset(context_.input("valid")))
                                     : data,
                           request);
        } catch (const Error& error) {
            // Nobody asked for it: the defaults do, and the data is too short for them.
            if (has_valid || context_.given("eval") || context_.given("split") ||
                training_.validate_only)
                throw;
            if (is_first())
                context_.log(LogLevel::warning,
                             fmt::format("nothing is validated: {}", error.what()));
        }
    }

    void make_learning() {
        make_plan();
        if (teacher_config_)
            learning_.hidden = hidden_terms(training_, student_config_, *teacher_config_);
        lm::PartRequest request{.layout = mesh_.layout,
                                .place = mesh_.place,
                                .sequence = training_.shares_sequence(),
                                .head_words = words_};
        auto files =
            std::make_shared<const lm::TensorFolder>(lm::TensorFolder::open(student_folder_));
        student_.emplace(student_config_,
                         request,
                         reader_of(files),
                         lm::Parameters::Options{.type = machine_.type,
                                                 .device = machine_.device,
                                                 .no_decay = training_.no_decay,
                                                 .projections = own_projections(),
                                                 .data_ranks = mesh_.layout.data,
                                                 .data_rank = mesh_.place.data});
        files->check();
        student_->decoder().crossing = lm::crossing_of(mesh_.tensor, training_.shares_sequence());
        learning_.mesh = &mesh_;
        learning_.student = &*student_;
        learning_.terms = training_.terms;
        learning_.recompute = training_.recompute;
        learning_.sequence = training_.shares_sequence() && mesh_.layout.tensor > 1;
        learning_.head_words = words_;
        if (teacher_config_)
            open_teacher(request);
    }

    void make_plan() {
        plan_.steps = lengths_.steps;
        plan_.global_batch = training_.global_batch;
        plan_.micro_batch = training_.micro_batch;
        plan_.schedule = lengths_.schedule;
        plan_.optimizer = training_.optimizer;
        plan_.decay = training_.decay;
        plan_.decay_ramp = training_.decay_ramp;
        plan_.clip = training_.clip;
        plan_.skip_nonfinite = training_.skips_nonfinite;
        plan_.skip_steps = training_.skip_steps;
        plan_.eval_every = training_.eval_every;
        plan_.eval_batches = validates() ? training_.eval_batches : 0;
        plan_.save_every = training_.save_every;
        plan_.log_every = training_.log_every;
        plan_.stop_step = training_.stop_step;
        if (training_.stop_minutes)
            plan_.stop_seconds = *training_.stop_minutes * 60;
        plan_.at_end = {.eod = eod_,
                        .reset_positions = training_.reset_positions,
                        .reset_attention = training_.reset_attention,
                        .mask = training_.mask_eod};
        plan_.vocabulary = words_;
    }

    std::vector<lm::HeldWeight> own_projections() const {
        if (!teacher_config_)
            return {};
        return projections_here(learning_.hidden,
                                mesh_,
                                training_.shares_sequence(),
                                student_config_,
                                *teacher_config_);
    }

    /// Reads this rank's part of a weight; of a projection, makes it.
    lm::WeightReader reader_of(const std::shared_ptr<const lm::TensorFolder>& files) const {
        lm::TensorSource source = lm::tensor_source(files, at::kCPU, at::kFloat);
        return [this, source](const lm::HeldWeight& held, const at::Tensor& into) {
            if (held.name.starts_with(lm::kProjections))
                begin_projection(held, training_.seed, into);
            else
                lm::copy_part(held, source(held.name, held.whole), into);
        };
    }

    void open_teacher(const lm::PartRequest& request) {
        teacher_.emplace(
            train::open_teacher(context_.input(ports_.teacher),
                                *teacher_config_,
                                teacher_layout(training_, mesh_.layout, *teacher_config_),
                                mesh_,
                                request,
                                machine_));
        learning_.teacher_layout = teacher_->layout;
        learning_.teacher_hidden = teacher_config_->hidden;
        if (teacher_->is_here)
            learning_.teacher = &teacher_->teacher;
    }

    double flops_a_token() const {
        return lm::training_flops(
            student_config_, teacher_config_ ? &*teacher_config_ : nullptr, training_.sequence);
    }

    lm::LoopEvents events() {
        return {
            .step =
                [this](const lm::StepRecord& record) {
                    last_ = record;
                    telling_->step(record, *point_);
                    if (writer_ && writer_->newest() > told_) {
                        told_ = writer_->newest();
                        context_.saved();
                    }
                },
            .validation = [this](std::int64_t step,
                                 const lm::Losses& losses) { telling_->validation(step, losses); },
            .warning = [this](const std::string& text) { telling_->warning(text); },
            .cancelled = [this] { return context_.cancelled(); },
            .changes =
                [this] {
                    if (lent_)
                        lent_->copy_rest();
                    lent_.reset();
                },
            .spoils = [this](std::string_view what) { return context_.spoils(what); }};
    }

    lm::Loop loop() {
        return lm::Loop(
            plan_, learning_, *student_, *train_, validates() ? &*valid_ : nullptr, events());
    }

    void validate(lm::TrainingPoint& point) {
        if (!loop().validate(point))
            throw Error({}, "stopped within its validation").exit_code(kExitStopped);
        if (teacher_)
            teacher_->check();
        if (is_first())
            write_unchanged(context_, student_folder_, context_.output("model"));
        tell(point);
    }

    bool learn(lm::TrainingPoint& point) {
        point_ = &point;
        told_ = point.step;
        bool ended = loop().run(point, [this](const lm::TrainingPoint& now, bool last) {
            lm::Snapshot snapshot = lm::take_snapshot(mesh_, *student_, last);
            lent_ = std::move(snapshot.lent);
            if (writer_)
                writer_->write(std::move(snapshot.share), now);
        });
        if (writer_)
            writer_->wait();
        machine_.world.barrier("states are on the disk");
        if (point.step > 0)
            context_.saved();
        return ended;
    }

    /// The newest whole state, which the first rank looks for; none: from the beginning.
    std::optional<fs::path> find(lm::TrainingPoint& point) {
        std::int64_t step = -1;
        if (is_first())
            if (std::optional<lm::FoundState> found =
                    lm::find_state(context_.work(),
                                   {.strict = context_.strict(),
                                    .threads = static_cast<unsigned>(context_.threads())})) {
                for (const std::string& damaged : found->passed_over)
                    context_.log(LogLevel::warning, damaged);
                step = found->point.step;
            }
        step = agreed(machine_.world, step, "the state to go on from");
        if (step < 0)
            return std::nullopt;
        lm::StatePart part = lm::open_state(context_.work(), step);
        point = part.point;
        return part.folder;
    }

    void open_writer(const lm::TrainingPoint& point) {
        std::int64_t attempt = agreed(machine_.world, std::random_device()(), "a start's name");
        machine_.world.barrier("the state is open");
        if (!lm::writes_state(mesh_))
            return;
        lm::StatePlace place;
        place.work = context_.work();
        place.part = mesh_.place.pipeline;
        place.parts = mesh_.layout.pipeline;
        place.attempt = fmt::format("{:08x}", attempt);
        place.resumed = point.step;
        place.keep = training_.keep;
        place.layout = {{"tensor", mesh_.layout.tensor},
                        {"pipeline", mesh_.layout.pipeline},
                        {"data", mesh_.layout.data}};
        place.texts = {
            {"config.json", lm::ConfigFile::read(student_folder_ / "config.json").text()}};
        for (const std::string& name : lm::kept_small_files(student_folder_))
            place.files.push_back(student_folder_ / name);
        place.patience = context_.rank().timeout;
        writer_.emplace(std::move(place));
    }

    void finish(const lm::TrainingPoint& point) {
        let_go();
        if (is_first())
            write_trained(context_,
                          student_folder_,
                          lm::open_state(context_.work(), point.step).folder,
                          context_.output("model"));
        tell(point);
    }

    /// What is left to do needs neither model: the weights are in the state.
    void let_go() {
        if (teacher_)
            teacher_->check();
        teacher_.reset();
        student_.reset();
        malloc_trim(0);  // keep_freed_memory() kept it for the next step
    }

    void tell(const lm::TrainingPoint& point) {
        if (!is_first())
            return;
        if (point.step > 0 && point.skipped == point.step)
            context_.log(LogLevel::warning,
                         fmt::format("nothing was learnt: all {} steps were left out", point.step));
        Summary summary{.point = point,
                        .last = std::nullopt,
                        .peak_memory = peak_memory(machine_.device),
                        .device = machine_.device_name,
                        .precision = machine_.type_name,
                        .ranks = machine_.world.size()};
        if (last_)
            summary.last = last_->losses;
        std::string json = report_json(training_, summary), text = report_text(training_, summary);
        fs::path folder = context_.output("report");
        write_record_file(folder / "report.json", json + "\n");
        write_record_file(folder / "report.md", text);
        context_.text(text);
        check_gates(context_, training_.gates, json);
    }

    const Training& training_;
    const Ports& ports_;
    RunContext& context_;
    Machine machine_;
    fs::path student_folder_;
    lm::ModelConfig student_config_;
    std::optional<lm::ModelConfig> teacher_config_;
    std::int64_t words_ = 0;
    lm::Mesh mesh_;
    Lengths lengths_;
    std::optional<std::uint32_t> eod_;
    std::optional<lm::Samples> train_, valid_;
    lm::LoopPlan plan_;
    std::optional<lm::Parameters> student_;
    std::optional<OpenTeacher> teacher_;
    lm::Learning learning_;
    std::optional<Telling> telling_;
    std::optional<lm::StateWriter> writer_;
    std::shared_ptr<lm::Lent> lent_;
    lm::TrainingPoint* point_ = nullptr;
    std::optional<lm::StepRecord> last_;
    std::int64_t told_ = 0;
};

}  // namespace

void stillroom_train(const Training& training, const Ports& ports, RunContext& context) {
    Trainer(training, ports, context).run();
}

}  // namespace stillroom::train
