#include "plugins/data/many_texts.h"

#include "plugins/lm/weights/random.h"

#include <ATen/Parallel.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <map>
#include <memory>

namespace stillroom::data {
namespace {

constexpr std::size_t kRows = 64;  ///< of every pass

/// A text at work.
struct Text {
    std::size_t number;
    lm::KvCache cache;
    at::Tensor logits_V;  ///< of the next token: fp32, on the CPU
    Written written;
    std::int64_t next = 0;  ///< the token that was drawn and is still to be read
    bool done = false;
};

/// Some of a text that is to be read in a pass.
struct Piece {
    lm::KvCache* cache;
    std::span<const std::int64_t> ids;
};

/// One pass of exactly kRows rows: the logits behind the last token of each piece.
at::Tensor pass(const lm::Decoder& decoder, const std::vector<Piece>& pieces) {
    std::vector<std::int64_t> ids;
    lm::Batch batch;
    for (const Piece& piece : pieces) {
        ids.insert(ids.end(), piece.ids.begin(), piece.ids.end());
        batch.lengths.push_back(std::ssize(piece.ids));
        batch.caches.push_back(piece.cache);
    }
    for (; ids.size() < kRows; ids.push_back(0)) {
        batch.lengths.push_back(1);
        batch.caches.push_back(nullptr);
    }
    batch.ids_T = at::tensor(ids, at::kLong);
    at::Tensor last_BD = lm::last_tokens(lm::hidden_states(decoder, batch), batch);
    // The head takes as many rows in every pass too.
    std::vector<std::int64_t> rows(kRows, 0);
    for (std::size_t i = 0; i < pieces.size(); i++)
        rows[i] = static_cast<std::int64_t>(i);
    at::Tensor rows_R = at::tensor(rows, at::kLong).to(last_BD.device());
    at::Tensor logits_RV = lm::logits(decoder, last_BD.index_select(0, rows_R));
    return logits_RV.narrow(0, 0, std::ssize(pieces)).to(at::kFloat).cpu().contiguous();
}

/// A prompt that has been read: every text with it begins from a copy.
struct Begun {
    lm::KvCache cache;
    at::Tensor logits_V;
};

Begun read_prompt(const lm::Decoder& decoder, const std::vector<std::int64_t>& prompt) {
    Begun begun{.cache = lm::KvCache(decoder.layers.size()), .logits_V = {}};
    std::span<const std::int64_t> rest = prompt;
    while (!rest.empty()) {
        std::size_t count = std::min(rest.size(), kRows);
        begun.logits_V = pass(decoder, {{&begun.cache, rest.first(count)}}).select(0, 0);
        rest = rest.subspan(count);
    }
    return begun;
}

class Writer {
public:
    Writer(const lm::Decoder& decoder, const Writing& writing)
        : decoder_(decoder),
          writing_(writing) {}

    void begin(std::size_t number) {
        std::size_t which = number % writing_.prompts.size();
        auto known = begun_.find(which);
        if (known == begun_.end()) {
            if (begun_.size() >= kKeptPrompts)
                begun_.clear();
            known = begun_.emplace(which, read_prompt(decoder_, writing_.prompts[which])).first;
        }
        texts_.push_back(std::make_unique<Text>(
            Text{number, known->second.cache.copy(), known->second.logits_V, {}}));
    }

    std::size_t active() const { return texts_.size(); }

    /// One token more for every text; those that are done leave.
    void step(std::map<std::size_t, Written>& done) {
        at::parallel_for(0, std::ssize(texts_), 1, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; i++)
                draw(*texts_[static_cast<std::size_t>(i)]);
        });
        for (const std::unique_ptr<Text>& text : texts_)
            if (text->done)
                done.emplace(text->number, std::move(text->written));
        std::erase_if(texts_, [](const std::unique_ptr<Text>& text) { return text->done; });
        for (std::size_t begin = 0; begin < texts_.size(); begin += kRows) {
            std::vector<Piece> pieces;
            std::size_t end = std::min(begin + kRows, texts_.size());
            for (std::size_t i = begin; i < end; i++)
                pieces.push_back({&texts_[i]->cache, {&texts_[i]->next, 1}});
            at::Tensor logits_BV = pass(decoder_, pieces);
            for (std::size_t i = begin; i < end; i++)
                texts_[i]->logits_V = logits_BV.select(0, static_cast<std::int64_t>(i - begin));
        }
    }

private:
    static constexpr std::size_t kKeptPrompts = 16;

    void draw(Text& text) const {
        std::span<const float> logits(text.logits_V.const_data_ptr<float>(),
                                      static_cast<std::size_t>(text.logits_V.numel()));
        lm::CountedRandom random(writing_.sampling.seed, text.number);
        std::vector<std::int64_t>& ids = text.written.ids;
        text.next = lm::take_token(logits, writing_.sampling, random.uniform(ids.size()));
        const std::vector<std::int64_t>& stops = writing_.stop_ids;
        text.written.ended = std::find(stops.begin(), stops.end(), text.next) != stops.end();
        if (!text.written.ended)
            ids.push_back(text.next);
        text.done = text.written.ended || std::ssize(ids) >= writing_.max_length;
    }

    const lm::Decoder& decoder_;
    const Writing& writing_;
    std::vector<std::unique_ptr<Text>> texts_;
    std::map<std::size_t, Begun> begun_;
};

}  // namespace

void write_texts(const lm::Decoder& decoder,
                 const Writing& writing,
                 std::size_t first,
                 std::size_t count,
                 const std::function<bool(std::size_t number, const Written& text)>& take,
                 const std::function<bool(std::int64_t tokens)>& look) {
    c10::InferenceMode inference;
    Writer writer(decoder, writing);
    std::map<std::size_t, Written> done;  // not yet handed over: an earlier one is at work
    std::size_t begun = first, taken = first;
    std::int64_t tokens = 0;
    while (taken < count) {
        while (begun < count && writer.active() < static_cast<std::size_t>(writing.batch))
            writer.begin(begun++);
        tokens += static_cast<std::int64_t>(writer.active());
        writer.step(done);
        for (auto next = done.find(taken); next != done.end(); next = done.find(taken)) {
            bool more = take(taken++, next->second);
            done.erase(next);
            if (!more)
                return;
        }
        if (!look(tokens))
            return;
    }
}

}  // namespace stillroom::data
