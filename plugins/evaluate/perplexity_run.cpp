#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/json_value.h"
#include "engine/base/text.h"
#include "engine/plugin/gate.h"
#include "plugins/evaluate/compute.h"
#include "plugins/evaluate/model.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/data/indexed_dataset.h"
#include "plugins/lm/modules/perplexity.h"
#include "plugins/lm/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stillroom::evaluate {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLargestAbout = std::size_t{16} << 20;
constexpr std::size_t kLargestText = std::size_t{1} << 30;

/// The beginning of a text, in characters.
std::string_view first_characters(std::string_view text, std::int64_t count) {
    std::size_t end = 0;
    for (; count > 0 && end < text.size(); --count) {
        ++end;
        while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
            ++end;
    }
    return text.substr(0, end);
}

std::vector<lm::Window> chosen_windows(const PerplexitySettings& settings, std::int64_t tokens) {
    std::vector<lm::Window> windows = lm::windows(
        tokens, settings.length, settings.stride.value_or(settings.length), settings.short_window);
    if (settings.max_windows)
        windows.resize(std::min(windows.size(), static_cast<std::size_t>(*settings.max_windows)));
    return windows;
}

/// What is to be foreseen.
struct Tokens {
    std::vector<std::int32_t> ids;
    std::vector<std::uint32_t> ends;  ///< bytes of text up to the end of each; none: nobody knows
    std::string from;
};

Tokens tokens_of_text(const PerplexitySettings& settings, const fs::path& model) {
    std::string text = read_file(*settings.text, kLargestText);
    if (std::optional<std::size_t> bad = find_invalid_utf8(text))
        throw Error({}, fmt::format("{} is no UTF-8 at byte {}", settings.text->string(), *bad))
            .key(PerplexitySettings::Key().text)
            .exit_code(kExitBadInput);
    std::string_view part = text;
    if (settings.max_characters)
        part = first_characters(part, *settings.max_characters);
    lm::Encoding encoding = lm::Tokenizer::read(model).encode_with_bounds(
        part, {.add_special = settings.special_tokens});
    Tokens tokens;
    tokens.from = settings.text->string();
    tokens.ids.assign(encoding.ids.begin(), encoding.ids.end());
    for (const lm::Bounds& bounds : encoding.bounds)
        tokens.ends.push_back(std::max(bounds.end, tokens.ends.empty() ? 0 : tokens.ends.back()));
    return tokens;
}

Tokens tokens_of_dataset(const fs::path& folder, std::int64_t vocab) {
    Json about = Json::parse(read_file(folder / "dataset.json", kLargestAbout));
    Tokens tokens;
    tokens.from = folder.string();
    for (const Json& prefix : about.at("prefixes").list()) {
        lm::IndexedDataset data = lm::IndexedDataset::open(folder / prefix.string());
        std::size_t before = tokens.ids.size();
        tokens.ids.resize(before + static_cast<std::size_t>(data.tokens()));
        data.read(0, std::span(tokens.ids).subspan(before), vocab);
    }
    return tokens;
}

/// How much text the predicted tokens stand for; 0 where nobody knows.
std::int64_t predicted_bytes(const std::vector<lm::Window>& windows, const Tokens& tokens) {
    std::int64_t bytes = 0;
    if (!tokens.ends.empty())
        for (const lm::Window& window : windows)
            bytes += tokens.ends[static_cast<std::size_t>(window.end) - 1] -
                     tokens.ends[static_cast<std::size_t>(window.asked) - 1];
    return bytes;
}

std::string json_of(const PerplexitySettings& settings,
                    const Model& model,
                    const lm::Losses& losses,
                    std::size_t windows,
                    std::int64_t bytes) {
    auto number = [](JsonWriter& out, std::string_view name, double value) {
        out.key(name), std::isfinite(value) ? out.number(value) : out.null();
    };
    JsonWriter out(1);
    out.begin_object();
    number(out, "perplexity", losses.perplexity());
    number(out, "nll", losses.mean());
    out.key("tokens"), out.integer(losses.tokens);
    number(out,
           "bits_per_byte",
           bytes > 0 ? losses.sum / std::log(2.0) / static_cast<double>(bytes) : NAN);
    number(out, "standard_error", losses.standard_error());
    out.key("bytes"), out.integer(bytes);
    out.key("windows"), out.integer(static_cast<std::int64_t>(windows));
    out.key("length"), out.integer(settings.length);
    out.key("stride"), out.integer(settings.stride.value_or(settings.length));
    out.key("dtype"), out.string(model.dtype);
    out.key("device"), out.string(model.device);
    out.end_object();
    return out.take();
}

std::string text_of(const Model& model, const lm::Losses& losses, std::int64_t bytes) {
    std::string text = fmt::format("perplexity {:.4f} over {} tokens ({} on {})\n",
                                   losses.perplexity(),
                                   losses.tokens,
                                   model.dtype,
                                   model.device);
    text +=
        fmt::format("loss {:.5f} +- {:.5f} nats a token", losses.mean(), losses.standard_error());
    if (bytes > 0)
        text += fmt::format(", {:.4f} bits a byte",
                            losses.sum / std::log(2.0) / static_cast<double>(bytes));
    return text + "\n";
}

}  // namespace

void stillroom_evaluate_perplexity(const PerplexitySettings& settings, RunContext& context) try {
    fs::path folder = context.input("model");
    lm::ModelConfig config = lm::ConfigFile::read(folder / "config.json").model();
    Tokens tokens = settings.text ? tokens_of_text(settings, folder)
                                  : tokens_of_dataset(context.input("data"), config.vocab);
    std::vector<lm::Window> windows =
        chosen_windows(settings, static_cast<std::int64_t>(tokens.ids.size()));
    if (windows.empty())
        throw Error(
            {},
            fmt::format(
                "{} is {} tokens: nothing can be predicted", tokens.from, tokens.ids.size()))
            .hint("a text needs two tokens; short_window=false needs a whole window")
            .exit_code(kExitBadInput);
    Model model = load_model(context, word(settings.dtype));
    lm::Losses losses = lm::losses_over(
        model.decoder(), tokens.ids, windows, settings.batch_tokens, [&](std::size_t done) {
            context.progress(static_cast<double>(done) / static_cast<double>(windows.size()),
                             fmt::format("window {} of {}", done, windows.size()));
            if (context.cancelled())
                throw Stopped();
            return true;
        });
    model.loaded.files->check();
    std::int64_t bytes = predicted_bytes(windows, tokens);
    std::string words = text_of(model, losses, bytes);
    std::string json = json_of(settings, model, losses, windows.size(), bytes);
    write_report(context.output("report"), json, words);
    context.metric("perplexity", losses.perplexity(), 0);
    context.text(words);
    check_gates(context, gates_of(settings.gate), json);
} catch (const Stopped&) {
}

}  // namespace stillroom::evaluate
