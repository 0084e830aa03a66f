#pragma once

#include "engine/plugin/stage.h"
#include "plugins/lm/train/event_file.h"
#include "plugins/lm/train/loop.h"
#include "plugins/lm/train/train_log.h"
#include "plugins/train/training.h"

#include <cstdint>
#include <optional>
#include <string>

namespace stillroom::train {

/// What a training says of itself while it goes on: log lines, metrics of the run, TensorBoard's
/// files. The first rank alone speaks.
class Telling {
public:
    struct About {
        std::int64_t steps = 0;
        std::int64_t global_batch = 0;
        int ranks = 1;
        double flops_a_token = 0;
        std::optional<std::int64_t> resumed;  ///< step
    };

    Telling(const Training& training, RunContext& context, const About& about);

    void step(const lm::StepRecord& record, const lm::TrainingPoint& point);
    void validation(std::int64_t step, const lm::Losses& losses);
    void warning(const std::string& text);

private:
    lm::LoggedStep line_of(const lm::StepRecord& record, const lm::TrainingPoint& point) const;

    const Training& training_;
    RunContext& context_;
    About about_;
    bool speaks_;
    std::optional<lm::EventFile> events_;
    double seconds_ = 0;  ///< of the steps since the last line
    std::int64_t steps_ = 0;
};

}  // namespace stillroom::train
