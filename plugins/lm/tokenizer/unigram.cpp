#include "plugins/lm/tokenizer/unigram.h"

#include "engine/base/error.h"
#include "plugins/lm/tokenizer/text_hash.h"
#include "plugins/lm/tokenizer/unicode.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr double kUnknownPenalty = 10;

}  // namespace

PrefixTree::PrefixTree() : ids_(1, Vocabulary::kNone), slots_(64) {}

std::size_t PrefixTree::slot_of(std::uint64_t key) const {
    std::size_t mask = slots_.size() - 1;
    std::size_t i = mix_hash(key, hash_seed() | 1) & mask;
    while (slots_[i].key != 0 && slots_[i].key != key)
        i = (i + 1) & mask;
    return i;
}

std::uint32_t PrefixTree::child(std::uint32_t node, unsigned char byte) const {
    return slots_[slot_of((std::uint64_t{node} << 8 | byte) + 1)].to;
}

void PrefixTree::grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old)
        if (slot.key != 0)
            slots_[slot_of(slot.key)] = slot;
}

void PrefixTree::add(std::string_view text, std::uint32_t id) {
    std::uint32_t node = 0;
    for (char c : text) {
        std::uint64_t key = (std::uint64_t{node} << 8 | static_cast<unsigned char>(c)) + 1;
        std::size_t i = slot_of(key);
        if (slots_[i].key == 0) {
            slots_[i] = {key, static_cast<std::uint32_t>(ids_.size())};
            ids_.push_back(Vocabulary::kNone);
            node = slots_[i].to;
            if (ids_.size() * 2 > slots_.size())
                grow();
        } else {
            node = slots_[i].to;
        }
    }
    if (node != 0)
        ids_[node] = id;
}

Unigram::Unigram(const Vocabulary& vocabulary, std::vector<double> scores, UnigramSettings settings)
    : vocabulary_(vocabulary),
      scores_(std::move(scores)),
      settings_(settings) {
    double least = 0;
    for (std::uint32_t id = 0; id < scores_.size(); ++id) {
        tree_.add(*vocabulary_.text_of(id), id);
        least = id == 0 ? scores_[id] : std::min(least, scores_[id]);
    }
    unknown_score_ = least - kUnknownPenalty;
    has_bytes_ = settings_.byte_fallback;
    for (unsigned b = 0; b < 256; ++b)
        byte_ids_[b] = vocabulary_.find(fmt::format("<0x{:02X}>", b));
}

void Unigram::encode(std::string_view word, std::vector<Token>& out) const {
    struct Best {
        double score = 0;
        std::size_t from = std::string_view::npos;
        std::uint32_t id = Vocabulary::kNone;  // kNone: unknown
    };
    std::vector<Best> best(word.size() + 1);
    auto offer = [&](std::size_t from, std::size_t to, std::uint32_t id, double score) {
        double total = best[from].score + score;
        if (best[to].from == std::string_view::npos || total > best[to].score)
            best[to] = {total, from, id};
    };
    int length = 0;
    for (std::size_t at = 0; at < word.size(); at += static_cast<std::size_t>(length)) {
        code_point(word.data() + at, length);
        bool single = false;
        tree_.prefixes(word.substr(at), [&](std::size_t bytes, std::uint32_t id) {
            offer(at, at + bytes, id, scores_[id]);
            single |= bytes == static_cast<std::size_t>(length);
        });
        if (!single)
            offer(at, at + static_cast<std::size_t>(length), Vocabulary::kNone, unknown_score_);
    }

    std::vector<Token> parts;  // from the end
    for (std::size_t end = word.size(); end > 0; end = best[end].from) {
        Token part{best[end].id,
                   static_cast<std::uint32_t>(best[end].from),
                   static_cast<std::uint32_t>(end)};
        bool unknown = part.id == Vocabulary::kNone || part.id == settings_.unknown;
        if (unknown)
            part.id = Vocabulary::kNone;
        if (unknown && settings_.fuse_unknown && !parts.empty() &&
            parts.back().id == Vocabulary::kNone)
            parts.back().begin = part.begin;
        else
            parts.push_back(part);
    }
    std::reverse(parts.begin(), parts.end());

    for (Token part : parts) {
        if (part.id == Vocabulary::kNone)
            part.id = vocabulary_.find(word.substr(part.begin, part.end - part.begin));
        if (part.id != Vocabulary::kNone) {
            out.push_back(part);
            continue;
        }
        std::string_view text = word.substr(part.begin, part.end - part.begin);
        auto missing = [this](char c) {
            return byte_ids_[static_cast<unsigned char>(c)] == Vocabulary::kNone;
        };
        if (has_bytes_ && std::none_of(text.begin(), text.end(), missing)) {
            for (char c : text)
                out.push_back({byte_ids_[static_cast<unsigned char>(c)], part.begin, part.end});
        } else if (settings_.unknown) {
            out.push_back({*settings_.unknown, part.begin, part.end});
        } else {
            throw Error({},
                        fmt::format("'{}' has no token, and the vocabulary no unknown one", text))
                .exit_code(kExitBadInput);
        }
    }
}

}  // namespace stillroom::lm
