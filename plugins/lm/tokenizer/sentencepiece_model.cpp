#include "plugins/lm/tokenizer/sentencepiece_model.h"

#include "engine/base/text.h"
#include "plugins/lm/tokenizer/charsmap.h"
#include "plugins/lm/tokenizer/tokenizer_parts.h"
#include "plugins/lm/tokenizer/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>

namespace stillroom::lm {
namespace {

using Type = SentencePieceFile::Type;

constexpr std::string_view kBlank = "\xE2\x96\x81";  // U+2581
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr float kUnknownPenalty = 10;

/// Bytes of the longest entry of the tree that the text begins with; 0: none.
std::size_t longest_prefix(const PrefixTree& tree, std::string_view text) {
    std::size_t longest = 0;
    tree.prefixes(text, [&](std::size_t bytes, std::uint32_t) { longest = bytes; });
    return longest;
}

std::size_t character(std::string_view text, std::size_t at) {
    int length = 0;
    code_point(text.data() + at, length);
    return static_cast<std::size_t>(length);
}

PrefixTree user_defined_tree(const SentencePieceFile& file) {
    PrefixTree out;
    for (std::uint32_t id = 0; id < file.pieces.size(); ++id)
        if (file.pieces[id].type == Type::user_defined)
            out.add(file.pieces[id].text, id);
    return out;
}

class Normalization {
public:
    explicit Normalization(std::shared_ptr<const SentencePieceFile> file)
        : file_(std::move(file)),
          user_defined_(user_defined_tree(*file_)) {
        if (!file_->charsmap.empty())
            charsmap_ = Charsmap::read(file_->charsmap);
    }

    bool fits() const { return file_->charsmap.empty() || charsmap_; }

    Piece operator()(const Piece& piece, PieceStore& store) const {
        Rewriter out(piece);
        std::string_view text = piece.text;
        bool shrink = file_->remove_extra_blanks;
        std::string_view blank = file_->escape_blanks ? kBlank : std::string_view(" ");
        for (Part part; shrink && !out.at_end(); out.drop(part.bytes)) {
            part = part_at(text, out.at());
            if (part.to != " ")
                break;
        }
        if (out.at_end())
            return out.finish(store);
        if (!file_->suffix && file_->dummy_prefix)
            out.insert(blank);
        bool after_blank = shrink;
        while (!out.at_end()) {
            Part part = part_at(text, out.at());
            std::string_view to = part.to;
            while (after_blank && to.starts_with(' '))
                to.remove_prefix(1);
            bool same = to.data() == text.data() + out.at() && to.size() == part.bytes &&
                        (to.find(' ') == to.npos || !file_->escape_blanks);
            if (same) {
                out.copy(part.bytes);
            } else {
                out.drop(part.bytes);
                for (char c : to)
                    out.insert(c == ' ' ? blank : std::string_view(&c, 1));
            }
            if (!to.empty())
                after_blank = to.ends_with(' ');
            if (!shrink)
                after_blank = false;
        }
        if (shrink)
            out.drop_behind(blank);
        if (file_->suffix && file_->dummy_prefix)
            out.insert(blank);
        return out.finish(store);
    }

private:
    struct Part {
        std::string_view to;
        std::size_t bytes = 0;
    };

    Part part_at(std::string_view text, std::size_t at) const {
        std::string_view rest = text.substr(at);
        if (std::size_t bytes = longest_prefix(user_defined_, rest))
            return {rest.substr(0, bytes), bytes};
        if (charsmap_)
            if (Charsmap::Found found = charsmap_->find(rest, true); found.bytes > 0)
                return {found.to, found.bytes};
        std::size_t bytes = character(text, at);
        return {rest.substr(0, bytes), bytes};
    }

    std::shared_ptr<const SentencePieceFile> file_;
    PrefixTree user_defined_;
    std::optional<Charsmap> charsmap_;
};

class DecodePieces final : public DecoderStage {
public:
    using Types = std::unordered_map<std::string_view, Type>;
    DecodePieces(const SentencePieceFile& file, const Types& types) : file_(file), types_(types) {}

    void take(std::string_view text, bool, bool) override {
        auto found = types_.find(text);
        Type type = found == types_.end() ? Type::normal : found->second;
        if (type == Type::byte) {
            run_ += static_cast<char>(std::stoi(std::string(text.substr(3, 2)), nullptr, 16));
            return;
        }
        flush();
        if (type == Type::control)
            return;
        if (type == Type::unknown) {
            emit(file_.unknown_surface);
            return;
        }
        if (at_begin_ && (file_.dummy_prefix || file_.remove_extra_blanks) &&
            text.starts_with(kBlank)) {
            text.remove_prefix(kBlank.size());
            at_begin_ = file_.remove_extra_blanks;
        }
        std::string out;
        for (std::size_t at = 0; at < text.size();) {
            if (text.substr(at).starts_with(kBlank)) {
                out += ' ';
                at += kBlank.size();
            } else {
                out += text[at++];
            }
        }
        emit(out);
    }
    void finish() override {
        flush();
        next->finish();
    }

private:
    void emit(std::string_view text) {
        if (text.empty())
            return;
        at_begin_ = false;
        next->take(text, true, true);
    }
    /// Characters where the bytes are some, one U+FFFD for each other byte.
    void flush() {
        std::string_view run = run_;
        std::string out;
        while (!run.empty()) {
            Utf8Prefix known = utf8_prefix(run);
            out += run.substr(0, known.valid);
            run.remove_prefix(known.valid);
            if (run.empty())
                break;
            out += kReplacement;
            run.remove_prefix(1);
        }
        run_.clear();
        emit(out);
    }

    const SentencePieceFile& file_;
    const Types& types_;
    std::string run_;
    bool at_begin_ = true;
};

}  // namespace

SentencePieceModel::SentencePieceModel(std::shared_ptr<const SentencePieceFile> file,
                                       const Vocabulary& vocabulary)
    : file_(std::move(file)),
      vocabulary_(vocabulary),
      user_defined_(user_defined_tree(*file_)) {
    bool first = true;
    for (std::uint32_t id = 0; id < file_->pieces.size(); ++id) {
        const SentencePieceFile::Entry& piece = file_->pieces[id];
        if (piece.type == Type::normal || piece.type == Type::user_defined ||
            piece.type == Type::unused) {
            tree_.add(piece.text, id);
            longest_ = std::max(longest_, piece.text.size());
        }
        if (piece.type == Type::normal) {
            least_ = first ? piece.score : std::min(least_, piece.score);
            most_ = first ? piece.score : std::max(most_, piece.score);
            first = false;
        }
    }
    for (unsigned b = 0; b < 256; ++b)
        byte_ids_[b] = vocabulary_.find(fmt::format("<0x{:02X}>", b));
}

std::uint32_t SentencePieceModel::mergeable(std::string_view text) const {
    if (text.size() > longest_)
        return Vocabulary::kNone;
    std::uint32_t id = vocabulary_.find(text);
    if (id == Vocabulary::kNone)
        return id;
    Type type = file_->pieces[id].type;
    bool may = type == Type::normal || type == Type::user_defined || type == Type::unused;
    return may ? id : Vocabulary::kNone;
}

void SentencePieceModel::best_path(std::string_view text, std::vector<Token>& out) const {
    struct Best {
        float score = 0;
        std::size_t from = std::string_view::npos;
        std::uint32_t id = 0;
    };
    std::vector<Best> best(text.size() + 1);
    auto offer = [&](std::size_t from, std::size_t to, std::uint32_t id, float score) {
        float total = score + best[from].score;
        if (best[to].from == std::string_view::npos || total > best[to].score)
            best[to] = {total, from, id};
    };
    for (std::size_t at = 0; at < text.size();) {
        std::size_t length = character(text, at);
        bool single = false;
        tree_.prefixes(text.substr(at), [&](std::size_t bytes, std::uint32_t id) {
            const SentencePieceFile::Entry& piece = file_->pieces[id];
            if (piece.type == Type::unused)
                return;
            float score = piece.type == Type::user_defined
                              ? static_cast<float>(bytes) * most_ - 0.1f
                              : piece.score;
            offer(at, at + bytes, id, score);
            single |= bytes == length;
        });
        if (!single)
            offer(at,
                  at + length,
                  static_cast<std::uint32_t>(file_->unknown),
                  least_ - kUnknownPenalty);
        at += length;
    }
    std::size_t first = out.size();
    for (std::size_t end = text.size(); end > 0; end = best[end].from)
        out.push_back({best[end].id,
                       static_cast<std::uint32_t>(best[end].from),
                       static_cast<std::uint32_t>(end)});
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
}

void SentencePieceModel::merges(std::string_view text, std::vector<Token>& out) const {
    std::size_t begin = 0, at = 0;
    while (at < text.size()) {
        std::size_t bytes = longest_prefix(user_defined_, text.substr(at));
        if (bytes == 0) {
            at += character(text, at);
            continue;
        }
        merge_part(text.substr(begin, at - begin), begin, out);
        out.push_back({vocabulary_.find(text.substr(at, bytes)),
                       static_cast<std::uint32_t>(at),
                       static_cast<std::uint32_t>(at + bytes)});
        at = begin = at + bytes;
    }
    merge_part(text.substr(begin), begin, out);
}

void SentencePieceModel::merge_part(std::string_view text,
                                    std::size_t begin,
                                    std::vector<Token>& out) const {
    struct Symbol {
        std::size_t begin, end;
        std::int64_t before, next;
    };
    struct Task {
        float score;
        std::int64_t left, right;
        std::size_t size;

        bool operator<(const Task& other) const {
            return score < other.score || (score == other.score && left > other.left);
        }
    };
    std::vector<Symbol> symbols;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = at + character(text, at);
        auto i = static_cast<std::int64_t>(symbols.size());
        symbols.push_back({at, end, i - 1, end == text.size() ? -1 : i + 1});
        at = end;
    }
    std::unordered_map<std::string_view, std::size_t> unused;  // where the left part ends
    std::priority_queue<Task> tasks;
    auto look = [&](std::int64_t left, std::int64_t right) {
        if (left < 0 || right < 0)
            return;
        const Symbol& a = symbols[static_cast<std::size_t>(left)];
        const Symbol& b = symbols[static_cast<std::size_t>(right)];
        std::string_view joined = text.substr(a.begin, b.end - a.begin);
        std::uint32_t id = mergeable(joined);
        if (id == Vocabulary::kNone)
            return;
        tasks.push({file_->pieces[id].score, left, right, joined.size()});
        if (file_->pieces[id].type == Type::unused)
            unused[joined] = a.end - a.begin;
    };
    for (std::size_t i = 1; i < symbols.size(); ++i)
        look(static_cast<std::int64_t>(i) - 1, static_cast<std::int64_t>(i));
    while (!tasks.empty()) {
        Task task = tasks.top();
        tasks.pop();
        Symbol& a = symbols[static_cast<std::size_t>(task.left)];
        Symbol& b = symbols[static_cast<std::size_t>(task.right)];
        if (a.begin == a.end || b.begin == b.end || b.end - a.begin != task.size ||
            a.next != task.right)
            continue;
        a.end = b.end;
        a.next = b.next;
        b.begin = b.end;
        if (a.next >= 0)
            symbols[static_cast<std::size_t>(a.next)].before = task.left;
        look(a.before, task.left);
        look(task.left, a.next);
    }
    // Pieces that are not in use are divided again as they were made.
    std::vector<std::pair<std::size_t, std::size_t>> open;
    for (std::int64_t i = symbols.empty() ? -1 : 0; i >= 0;
         i = symbols[static_cast<std::size_t>(i)].next) {
        const Symbol& symbol = symbols[static_cast<std::size_t>(i)];
        open.push_back({symbol.begin, symbol.end});
        while (!open.empty()) {
            auto [from, to] = open.back();
            open.pop_back();
            std::string_view part = text.substr(from, to - from);
            std::uint32_t id = mergeable(part);
            auto left = unused.find(part);
            if (id != Vocabulary::kNone && file_->pieces[id].type == Type::unused &&
                left != unused.end()) {
                open.push_back({from + left->second, to});
                open.push_back({from, from + left->second});
                continue;
            }
            if (id == Vocabulary::kNone)
                id = static_cast<std::uint32_t>(file_->unknown);
            out.push_back({id,
                           static_cast<std::uint32_t>(begin + from),
                           static_cast<std::uint32_t>(begin + to)});
        }
    }
}

void SentencePieceModel::encode(std::string_view word, std::vector<Token>& out) const {
    std::vector<Token> tokens;
    if (file_->is_bpe)
        merges(word, tokens);
    else
        best_path(word, tokens);
    auto unknown = static_cast<std::uint32_t>(file_->unknown);
    bool after_unknown = false;
    for (const Token& token : tokens) {
        bool is_unknown = token.id == unknown;
        if (is_unknown && file_->byte_fallback) {
            for (std::uint32_t i = token.begin; i < token.end; ++i) {
                std::uint32_t id = byte_ids_[static_cast<unsigned char>(word[i])];
                out.push_back({id == Vocabulary::kNone ? unknown : id, token.begin, token.end});
            }
        } else if (is_unknown && after_unknown) {
            out.back().end = token.end;
        } else {
            out.push_back(token);
        }
        after_unknown = is_unknown;
    }
}

NormalizerStep sentencepiece_normalizer(std::shared_ptr<const SentencePieceFile> file) {
    auto kept = std::make_shared<const Normalization>(std::move(file));
    if (!kept->fits())
        return nullptr;
    return [kept](const Piece& piece, PieceStore& store) { return (*kept)(piece, store); };
}

Decoder sentencepiece_decoder(std::shared_ptr<const SentencePieceFile> file) {
    auto types = std::make_shared<DecodePieces::Types>();
    for (const SentencePieceFile::Entry& piece : file->pieces)
        if (piece.type != Type::normal)
            (*types)[piece.text] = piece.type;
    return Decoder::of([file, types] { return std::make_unique<DecodePieces>(*file, *types); });
}

std::shared_ptr<TokenizerParts> read_sentencepiece(std::string_view bytes,
                                                   const std::string& name) {
    auto file = std::make_shared<const SentencePieceFile>(read_sentencepiece_file(bytes, name));
    auto parts = std::make_shared<TokenizerParts>();
    parts->file = name;
    auto refuse = [&](const std::string& why) {
        throw Error({name}, why).exit_code(kExitBadInput);
    };
    for (std::uint32_t id = 0; id < file->pieces.size(); ++id) {
        const SentencePieceFile::Entry& piece = file->pieces[id];
        if (parts->vocabulary.add(piece.text, id) != Vocabulary::Added::yes)
            refuse(fmt::format("the piece '{}' stands here twice", piece.text));
        bool is_byte = piece.text.size() == 6 && piece.text.starts_with("<0x") &&
                       piece.text.ends_with('>') &&
                       piece.text.find_first_not_of("0123456789ABCDEF", 3) == 5;
        if (piece.type == Type::byte && !is_byte)
            refuse(fmt::format("the piece {} is a byte, but not written like <0x41>", id));
    }
    NormalizerStep normalizer = sentencepiece_normalizer(file);
    if (!normalizer)
        refuse("the precompiled_charsmap is none");
    parts->normalizer.add(normalizer);
    parts->model = std::make_unique<SentencePieceModel>(file, parts->vocabulary);
    parts->decoder = sentencepiece_decoder(file);
    if (file->denormalizes)
        parts->notices.push_back("rules for decoded text are not applied");
    for (std::uint32_t id = 0; id < file->pieces.size(); ++id) {
        if (file->pieces[id].type != Type::control)
            continue;
        AddedToken token;
        token.content = file->pieces[id].text;
        token.special = true;
        token.normalized = false;
        parts->add_token(std::move(token), id);
    }
    auto known = [](std::int32_t id) {
        return id < 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(id));
    };
    parts->special.begin = known(file->begin);
    parts->special.end = known(file->end);
    parts->special.padding = known(file->padding);
    parts->special.unknown = known(file->unknown);
    parts->finish();
    return parts;
}

}  // namespace stillroom::lm
