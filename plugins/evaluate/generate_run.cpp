#include "engine/base/json.h"
#include "plugins/evaluate/compute.h"
#include "plugins/evaluate/model.h"
#include "plugins/lm/modules/generate.h"
#include "plugins/lm/tokenizer/stream_decoder.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::evaluate {
namespace {

/// Text as it comes, held back as far as it may become a stop text.
class Answer {
public:
    explicit Answer(const std::vector<std::string>& stops) : stops_(stops) {}

    /// What can be shown now. Nothing more comes once stopped().
    std::string add(const std::string& text) {
        pending_ += text;
        std::size_t end = std::string::npos;
        for (const std::string& stop : stops_)
            end = std::min(end, pending_.find(stop));
        if (end != std::string::npos) {
            stopped_ = true;
            pending_.resize(end);
            return take(end);
        }
        std::size_t held = 0;
        for (const std::string& stop : stops_)
            for (std::size_t length = std::min(stop.size() - 1, pending_.size()); length > held;
                 --length)
                if (pending_.ends_with(std::string_view(stop).substr(0, length))) {
                    held = length;
                    break;
                }
        return take(pending_.size() - held);
    }
    std::string rest() { return take(pending_.size()); }
    bool stopped() const { return stopped_; }
    const std::string& text() const { return text_; }

private:
    std::string take(std::size_t count) {
        std::string out = pending_.substr(0, count);
        pending_.erase(0, count);
        text_ += out;
        return out;
    }

    const std::vector<std::string>& stops_;
    std::string pending_, text_;
    bool stopped_ = false;
};

std::string_view ending_text(lm::Ending ending) {
    switch (ending) {
        case lm::Ending::length:
            return "length";
        case lm::Ending::stop_id:
            return "end";
        case lm::Ending::reader:
            return "stop";
    }
    return "";
}

}  // namespace

void stillroom_evaluate_generate(const GenerateSettings& settings, RunContext& context) {
    lm::Tokenizer tokenizer = lm::Tokenizer::read(context.input("model"));
    std::vector<std::uint32_t> ids = tokenizer.encode(
        settings.prompt, {.add_special = true, .allow_special = settings.allow_special});
    std::vector<std::int64_t> prompt(ids.begin(), ids.end());
    if (prompt.empty())
        throw Error({}, "the prompt is no token at all")
            .key(GenerateSettings::Key().prompt)
            .exit_code(kExitBadInput);
    Model model = load_model(context, word(settings.dtype), lm::Narrow::kept);

    lm::StreamDecoder decoder(tokenizer, true);
    Answer answer(settings.stop);
    std::int64_t count = 0;
    lm::Generation generation;
    generation.max_tokens = settings.max_tokens;
    generation.stop_ids.assign(tokenizer.special().stops.begin(), tokenizer.special().stops.end());
    generation.sampling = {.temperature = settings.temperature,
                           .top_k = settings.top_k.value_or(0),
                           .top_p = settings.top_p,
                           .seed = static_cast<std::uint64_t>(settings.seed)};
    bool cancelled = false;
    generation.on_token = [&](std::int64_t id) {
        context.progress(static_cast<double>(++count) / static_cast<double>(settings.max_tokens),
                         fmt::format("token {}", count));
        context.text(answer.add(decoder.push(static_cast<std::uint32_t>(id))));
        cancelled = context.cancelled();
        return !answer.stopped() && !cancelled;
    };
    context.text(settings.prompt);
    lm::Generated made = lm::generate(model.decoder(), prompt, generation);
    if (cancelled)
        return;
    model.loaded.files->check();
    if (!answer.stopped()) {
        std::string last = answer.add(decoder.finish());
        context.text(last + answer.rest());
    }
    context.text("\n");

    JsonWriter out(1);
    out.begin_object();
    out.key("prompt"), out.string(settings.prompt);
    out.key("text"), out.string(answer.text());
    out.key("ending"), out.string(ending_text(made.ending));
    out.key("prompt_tokens"), out.integer(static_cast<std::int64_t>(prompt.size()));
    out.key("tokens"), out.integer(static_cast<std::int64_t>(made.ids.size()));
    out.key("ids"), out.begin_array();
    for (std::int64_t id : made.ids)
        out.integer(id);
    out.end_array();
    out.key("dtype"), out.string(model.dtype);
    out.key("device"), out.string(model.device);
    out.end_object();
    write_report(context.output("report"), out.take(), settings.prompt + answer.text() + "\n");
}

}  // namespace stillroom::evaluate
