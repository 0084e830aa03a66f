#include "engine/base/json.h"
#include "plugins/evaluate/compute.h"
#include "plugins/evaluate/model.h"
#include "plugins/lm/tokenizer/tokenizer.h"
#include "plugins/lm/weights/tensor_writer.h"

#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/topk.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace stillroom::evaluate {
namespace fs = std::filesystem;
namespace {

using Row = std::vector<std::int64_t>;

constexpr std::int64_t kChunk = 256;  ///< tokens whose logits are held at once

struct Guess {
    std::int64_t id;
    double logit, share;
};

std::vector<Guess> likeliest(const at::Tensor& logits_V, std::int64_t count) {
    at::Tensor values = logits_V.to(at::kDouble).cpu();
    at::Tensor shares = at::softmax(values, 0);
    auto [top, places] = at::topk(values, std::min(count, values.size(0)));
    std::vector<Guess> guesses;
    for (std::int64_t i = 0; i < top.size(0); ++i) {
        std::int64_t id = places[i].item<std::int64_t>();
        guesses.push_back({id, top[i].item<double>(), shares[id].item<double>()});
    }
    return guesses;
}

}  // namespace

void stillroom_evaluate_logits(const LogitsSettings& settings, RunContext& context) try {
    fs::path folder = context.input("model");
    std::optional<lm::Tokenizer> tokenizer;
    if (settings.text || fs::exists(folder / "tokenizer.json"))
        tokenizer = lm::Tokenizer::read(folder);
    std::vector<Row> rows;
    if (settings.ids) {
        rows = *settings.ids;
    } else {
        std::vector<std::uint32_t> ids = tokenizer->encode(*settings.text, {.add_special = true});
        rows.emplace_back(ids.begin(), ids.end());
    }
    if (rows.front().empty())
        throw Error({}, "the text is no token at all")
            .key(LogitsSettings::Key().text)
            .exit_code(kExitBadInput);
    Model model = load_model(context, word(settings.dtype), lm::Narrow::kept);
    const lm::Decoder& decoder = model.decoder();
    auto count = static_cast<std::int64_t>(rows.size());
    auto length = static_cast<std::int64_t>(rows.front().size());

    std::vector<std::vector<Guess>> next(rows.size());
    lm::NewTensor tensor;
    tensor.info.name = "logits";
    tensor.info.dtype = lm::Dtype::f32;
    tensor.info.shape = {count, length, decoder.config.vocab};
    tensor.make = [&](const lm::WriteBytes& write) {
        for (std::size_t row = 0; row < rows.size(); ++row) {
            at::Tensor hidden = lm::hidden_states(
                decoder, lm::batch_of_rows(at::tensor(rows[row], at::kLong).unsqueeze(0)));
            for (std::int64_t begin = 0; begin < length; begin += kChunk) {
                if (context.cancelled())
                    throw Stopped();
                std::int64_t end = std::min(begin + kChunk, length);
                at::Tensor part = lm::logits(decoder, hidden.slice(0, begin, end))
                                      .to(at::kFloat)
                                      .cpu()
                                      .contiguous();
                write({static_cast<const std::byte*>(part.const_data_ptr()), part.nbytes()});
                if (end == length)
                    next[row] = likeliest(part.select(0, -1), settings.top_k);
            }
            context.progress(static_cast<double>(row + 1) / static_cast<double>(count),
                             fmt::format("row {} of {}", row + 1, count));
        }
    };
    fs::path report = context.output("report");
    std::vector<lm::NewTensor> tensors;
    tensors.push_back(std::move(tensor));
    lm::save_tensors(context, report / "logits.safetensors", tensors, {{"format", "pt"}});
    model.loaded.files->check();

    JsonWriter out(1);
    std::string words;
    out.begin_object();
    out.key("rows"), out.integer(count);
    out.key("tokens"), out.integer(length);
    out.key("vocab"), out.integer(decoder.config.vocab);
    out.key("dtype"), out.string(model.dtype);
    out.key("device"), out.string(model.device);
    out.key("ids"), out.begin_array();
    for (const Row& row : rows) {
        out.begin_array();
        for (std::int64_t id : row)
            out.integer(id);
        out.end_array();
    }
    out.end_array();
    out.key("next"), out.begin_array();
    for (std::size_t row = 0; row < rows.size(); ++row) {
        out.begin_array();
        if (rows.size() > 1)
            words += fmt::format("row {}\n", row + 1);
        for (const Guess& guess : next[row]) {
            std::optional<std::string_view> token =
                tokenizer ? tokenizer->token_of(static_cast<std::uint32_t>(guess.id))
                          : std::nullopt;
            out.begin_object();
            out.key("id"), out.integer(guess.id);
            out.key("token"), token ? out.string(*token) : out.null();
            out.key("logit"), out.number(guess.logit);
            out.key("probability"), out.number(guess.share);
            out.end_object();
            words += fmt::format("{:>6.2f} %  {:>8.3f}  {:>6}  {}\n",
                                 100 * guess.share,
                                 guess.logit,
                                 guess.id,
                                 token ? json_quoted(*token) : "");
        }
        out.end_array();
    }
    out.end_array();
    out.end_object();
    write_report(report, out.take(), words);
    context.text(words);
} catch (const Stopped&) {
}

}  // namespace stillroom::evaluate
