#include "plugins/data/many_texts.h"

#include "plugins/lm/kernels/panel_product.h"
#include "plugins/lm/weights/random.h"

#include <ATen/Parallel.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <list>
#include <span>

namespace stillroom::data {
namespace {

// Of every pass: so many that the products are worth a matrix unit, and no more, since at the end
// few texts are left to fill it.
constexpr std::size_t kRows = 128;

/// A text at work.
struct Text {
    std::size_t number;
    Written& written;
    lm::KvCache cache;
    std::vector<std::int64_t> unread;  ///< the prompt, later the token that was drawn
};

/// Some of a text that is read in a pass.
struct Piece {
    Text* text;
    std::size_t count;
};

/// As many unread tokens as fit into a pass, beginning with the text at `from`.
std::vector<Piece> next_pieces(std::list<Text>& texts, std::list<Text>::iterator& from) {
    std::vector<Piece> pieces;
    std::size_t rows = 0;
    for (; from != texts.end() && rows < kRows; ++from) {
        std::size_t count = std::min(from->unread.size(), kRows - rows);
        pieces.push_back({&*from, count});
        rows += count;
        if (count < from->unread.size())
            break;  // the next pass goes on with it
    }
    return pieces;
}

/// One pass of exactly kRows rows: the logits behind the last token of each piece.
at::Tensor pass(const lm::Decoder& decoder, const std::vector<Piece>& pieces) {
    std::vector<std::int64_t> ids;
    lm::Batch batch;
    batch.one_by_one = true;
    for (const Piece& piece : pieces) {
        std::span<const std::int64_t> read = std::span(piece.text->unread).first(piece.count);
        ids.insert(ids.end(), read.begin(), read.end());
        batch.lengths.push_back(static_cast<std::int64_t>(piece.count));
        batch.caches.push_back(&piece.text->cache);
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
    logits_RV = logits_RV.narrow(0, 0, std::ssize(pieces)).cpu();
    return logits_RV.scalar_type() == at::kBFloat16 ? logits_RV : logits_RV.to(at::kFloat);
}

/// A row of logits in fp32.
std::span<const float> wide_row(const at::Tensor& logits_RV,
                                std::int64_t row,
                                std::vector<float>& room) {
    auto words = static_cast<std::size_t>(logits_RV.size(1));
    const char* at = static_cast<const char*>(logits_RV.const_data_ptr()) +
                     row * logits_RV.stride(0) * logits_RV.element_size();
    if (logits_RV.scalar_type() == at::kFloat)
        return {reinterpret_cast<const float*>(at), words};
    room.resize(words);
    lm::widen(lm::best_tier(), reinterpret_cast<const lm::Bf16*>(at), room.data(), words);
    return room;
}

class Writer {
public:
    Writer(const lm::Decoder& decoder, const Writing& writing)
        : decoder_(decoder),
          writing_(writing) {}

    std::size_t active() const { return texts_.size(); }

    void begin(std::size_t number, Written& written) {
        texts_.push_back({number,
                          written,
                          lm::KvCache(decoder_.layers.size()),
                          writing_.prompts[number % writing_.prompts.size()]});
    }

    void drop_from(std::size_t number) {
        texts_.remove_if([&](const Text& text) { return text.number >= number; });
    }

    /// Reads what is unread of all, one token more for each text of which all is; those that are
    /// done leave.
    void step() {
        for (auto from = texts_.begin(); from != texts_.end();) {
            std::vector<Piece> pieces = next_pieces(texts_, from);
            at::Tensor logits_RV = pass(decoder_, pieces);
            at::parallel_for(0, std::ssize(pieces), 1, [&](std::int64_t first, std::int64_t last) {
                std::vector<float> room;
                for (std::int64_t i = first; i < last; i++) {
                    const Piece& piece = pieces[static_cast<std::size_t>(i)];
                    std::vector<std::int64_t>& unread = piece.text->unread;
                    unread.erase(unread.begin(),
                                 unread.begin() + static_cast<std::ptrdiff_t>(piece.count));
                    if (unread.empty())
                        draw(*piece.text, wide_row(logits_RV, i, room));
                }
            });
        }
        texts_.remove_if([](const Text& text) { return text.written.done; });
    }

private:
    void draw(Text& text, std::span<const float> logits) const {
        lm::CountedRandom random(writing_.sampling.seed, text.number);
        std::vector<std::int64_t>& ids = text.written.ids;
        std::int64_t id = lm::take_token(logits, writing_.sampling, random.uniform(ids.size()));
        const std::vector<std::int64_t>& stops = writing_.stop_ids;
        bool ended = std::find(stops.begin(), stops.end(), id) != stops.end();
        if (!ended)
            ids.push_back(id);
        text.unread.push_back(id);
        text.written.done = ended || std::ssize(ids) >= writing_.max_length;
    }

    const lm::Decoder& decoder_;
    const Writing& writing_;
    std::list<Text> texts_;
};

}  // namespace

void write_texts(const lm::Decoder& decoder,
                 const Writing& writing,
                 std::size_t first,
                 Texts next,
                 Reader& reader) {
    c10::InferenceMode inference;
    Writer writer(decoder, writing);
    std::size_t begun = first;
    for (;;) {
        for (auto text = next.find(first); text != next.end() && text->second.done;
             text = next.find(first)) {
            reader.take(first++, text->second);
            next.erase(text);
        }
        std::size_t enough = reader.enough(next);
        if (first >= enough)
            return;
        writer.drop_from(enough);
        for (; begun < enough && writer.active() < static_cast<std::size_t>(writing.batch); begun++)
            if (auto [text, is_new] = next.try_emplace(begun); is_new)
                writer.begin(begun, text->second);
        std::vector<std::size_t> open;
        for (const auto& [number, text] : next)
            if (!text.done)
                open.push_back(number);
        writer.step();
        for (std::size_t number : open)
            if (const Written& text = next.at(number); text.done)
                reader.done(number, text);
        if (!reader.look(next))
            return;
    }
}

}  // namespace stillroom::data
