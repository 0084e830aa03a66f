#include "plugins/lm/tokenizer/decoder.h"

#include "engine/base/text.h"
#include "plugins/lm/tokenizer/byte_alphabet.h"
#include "plugins/lm/tokenizer/regex.h"
#include "plugins/lm/tokenizer/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace stillroom::lm {
namespace {

constexpr int kDeepest = 16;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Joins fragments: `whole` sees each token at once.
class TokenStage : public DecoderStage {
public:
    void take(std::string_view text, bool first, bool last) final {
        if (first && last) {
            whole(text);
            return;
        }
        held_ += text;
        if (last)
            whole(std::exchange(held_, {}));
    }
    void finish() override { next->finish(); }

protected:
    virtual void whole(std::string_view token) = 0;
    void pass(std::string_view token) { next->take(token, true, true); }

private:
    std::string held_;
};

/// A function of each token and whether it is the first.
class Each final : public TokenStage {
public:
    using Act = std::function<std::string(std::string_view, bool)>;
    explicit Each(const Act& act) : act_(act) {}

    void whole(std::string_view token) override {
        pass(act_(token, first_));
        first_ = false;
    }

private:
    const Act& act_;
    bool first_ = true;
};

/// A run of <0xHH> is text, or one U+FFFD for each where it is no UTF-8.
class ByteFallback final : public TokenStage {
public:
    void whole(std::string_view token) override {
        if (std::optional<char> byte = byte_of(token)) {
            run_ += *byte;
            return;
        }
        flush();
        pass(token);
    }
    void finish() override {
        flush();
        next->finish();
    }

private:
    static std::optional<char> byte_of(std::string_view token) {
        if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>')
            return std::nullopt;
        unsigned value = 0;
        auto [end, bad] = std::from_chars(token.data() + 3, token.data() + 5, value, 16);
        if (bad != std::errc() || end != token.data() + 5)
            return std::nullopt;
        return static_cast<char>(value);
    }

    void flush() {
        if (run_.empty())
            return;
        if (!find_invalid_utf8(run_))
            pass(run_);
        else
            for (std::size_t i = 0; i < run_.size(); ++i)
                pass(kReplacement);
        run_.clear();
    }

    std::string run_;
};

/// All tokens become one.
class Fuse final : public DecoderStage {
public:
    void take(std::string_view text, bool, bool) override {
        next->take(text, first_, false);
        first_ = false;
    }
    void finish() override {
        next->take("", first_, true);
        next->finish();
    }

private:
    bool first_ = true;
};

/// All tokens become one, of the bytes that they spell.
class Bytes final : public DecoderStage {
public:
    void take(std::string_view text, bool first, bool last) override {
        if (first && last) {
            token(text);
            return;
        }
        held_ += text;
        if (last)
            token(std::exchange(held_, {}));
    }
    void finish() override {
        if (!bytes_.empty())
            emit(kReplacement);
        next->take("", first_, true);
        next->finish();
    }

private:
    void token(std::string_view text) {
        if (std::optional<std::string> bytes = spelled_bytes(text))
            bytes_ += *bytes;
        else
            bytes_ += text;
        for (;;) {
            Utf8Prefix known = utf8_prefix(bytes_);
            if (known.valid > 0)
                emit(std::string_view(bytes_).substr(0, known.valid));
            if (known.bad == 0 || known.cut) {
                bytes_.erase(0, known.valid);
                return;
            }
            emit(kReplacement);
            bytes_.erase(0, known.valid + known.bad);
        }
    }
    void emit(std::string_view text) {
        next->take(text, first_, false);
        first_ = false;
    }

    std::string held_;
    std::string bytes_;  // the begin of a character
    bool first_ = true;
};

/// Takes up to `start` and `stop` times `mark` from the ends of each token.
class Strip final : public DecoderStage {
public:
    Strip(std::string mark, std::size_t start, std::size_t stop)
        : mark_(std::move(mark)),
          start_(start),
          stop_(stop) {}

    void take(std::string_view text, bool first, bool last) override {
        if (first) {
            to_strip_ = start_;
            begun_ = false;
        }
        held_ += text;
        std::size_t at = 0;
        for (; to_strip_ > 0 && std::string_view(held_).substr(at).starts_with(mark_); --to_strip_)
            at += mark_.size();
        // A fragment ends between characters, so a mark is never cut.
        if (at < held_.size())
            to_strip_ = 0;
        held_.erase(0, at);
        std::size_t keep = held_.size();
        for (std::size_t i = 0; i < stop_ && ends_with_mark(keep); ++i)
            keep -= mark_.size();
        if (last) {
            next->take(std::string_view(held_).substr(0, keep), !begun_, true);
            held_.clear();
            return;
        }
        if (keep == 0)
            return;
        next->take(std::string_view(held_).substr(0, keep), !begun_, false);
        begun_ = true;
        held_.erase(0, keep);
    }
    void finish() override { next->finish(); }

private:
    bool ends_with_mark(std::size_t size) const {
        return std::string_view(held_).substr(0, size).ends_with(mark_);
    }

    std::string mark_;
    std::size_t start_, stop_;
    std::size_t to_strip_ = 0;
    bool begun_ = false;
    std::string held_;
};

/// The mark of a word's end is a blank, but nothing in the last token.
class WordEnds final : public TokenStage {
public:
    explicit WordEnds(std::string suffix) : suffix_(std::move(suffix)) {}

    void whole(std::string_view token) override {
        flush(" ");
        held_ = token;
    }
    void finish() override {
        flush("");
        next->finish();
    }

private:
    void flush(std::string_view instead);

    std::string suffix_;
    std::optional<std::string> held_;
};

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
    std::string out;
    std::size_t done = 0;
    for (std::size_t at = 0; !from.empty() && (at = text.find(from, done)) != text.npos;) {
        out += text.substr(done, at - done);
        out += to;
        done = at + from.size();
    }
    out += text.substr(done);
    return out;
}

void WordEnds::flush(std::string_view instead) {
    if (held_)
        pass(replaced(*held_, suffix_, instead));
    held_.reset();
}

/// Equal neighbours are one, the padding none.
class Ctc final : public TokenStage {
public:
    Ctc(std::string pad, std::string delimiter, bool cleanup)
        : pad_(std::move(pad)),
          delimiter_(std::move(delimiter)),
          cleanup_(cleanup) {}

    void whole(std::string_view token) override;

private:
    std::string pad_, delimiter_;
    bool cleanup_;
    std::optional<std::string> before_;
};

/// The blanks before punctuation that joining words made.
std::string clean_up(std::string text) {
    constexpr std::string_view kPairs[][2] = {{" .", "."},
                                              {" ?", "?"},
                                              {" !", "!"},
                                              {" ,", ","},
                                              {" ' ", "'"},
                                              {" n't", "n't"},
                                              {" 'm", "'m"},
                                              {" do not", " don't"},
                                              {" 's", "'s"},
                                              {" 've", "'ve"},
                                              {" 're", "'re"}};
    for (const auto& pair : kPairs)
        text = replaced(text, pair[0], pair[1]);
    return text;
}

void Ctc::whole(std::string_view token) {
    if (before_ == token)
        return;
    before_ = token;
    std::string out = replaced(token, pad_, "");
    if (cleanup_)
        out = replaced(clean_up(std::move(out)), delimiter_, " ");
    if (!out.empty())
        pass(out);
}

/// Tokens with a blank between them.
class Joined final : public TokenStage {
public:
    void whole(std::string_view token) override {
        if (!first_)
            pass(" ");
        first_ = false;
        pass(token);
    }

private:
    bool first_ = true;
};

std::string replaced_matches(std::string_view text, const Scanner& scanner, std::string_view to) {
    std::string out;
    std::size_t done = 0, from = 0;
    Scanner::Match match;
    while (from <= text.size() && scanner.next(text, from, match)) {
        out += text.substr(done, match.begin - done);
        out += to;
        done = from = match.end;
        if (match.begin == match.end) {
            int length = 1;
            if (from < text.size())
                code_point(text.data() + from, length);
            from += static_cast<std::size_t>(length);
        }
    }
    out += text.substr(done);
    return out;
}

/// Each U+2581 a blank; those of the first token go.
Each::Act metaspace(std::string mark, bool strips) {
    return [mark = std::move(mark), strips](std::string_view token, bool first) {
        return replaced(token, mark, first && strips ? "" : " ");
    };
}

Each::Act word_piece(std::string prefix, bool cleanup) {
    return [prefix = std::move(prefix), cleanup](std::string_view token, bool first) {
        std::string out;
        if (first)
            out = token;
        else if (token.starts_with(prefix))
            out = token.substr(prefix.size());
        else
            out = " " + std::string(token);
        return cleanup ? clean_up(std::move(out)) : out;
    };
}

}  // namespace

DecoderStage::~DecoderStage() = default;

Decoder Decoder::read(const Json& value, const ComponentReader& reader) {
    Decoder out;
    if (value.is_null())
        out.steps_.push_back([] { return std::make_unique<Joined>(); });
    else
        out.read_into(value, reader, 0);
    return out;
}

Decoder Decoder::of(Make make) {
    Decoder out;
    out.steps_.push_back(std::move(make));
    return out;
}

void Decoder::read_into(const Json& value, const ComponentReader& reader, int depth) {
    std::string type = reader.type_of(value, "decoder");
    auto each = [this](Each::Act act) {
        auto kept = std::make_shared<const Each::Act>(std::move(act));
        steps_.push_back([kept] { return std::make_unique<Each>(*kept); });
    };
    if (type == "Sequence") {
        if (depth == kDeepest)
            reader.refuse(fmt::format("decoders nested deeper than {}", kDeepest));
        for (const Json& item : reader.list(value, "decoders"))
            read_into(item, reader, depth + 1);
    } else if (type == "ByteLevel") {
        steps_.push_back([] { return std::make_unique<Bytes>(); });
    } else if (type == "ByteFallback") {
        steps_.push_back([] { return std::make_unique<ByteFallback>(); });
    } else if (type == "Fuse") {
        steps_.push_back([] { return std::make_unique<Fuse>(); });
    } else if (type == "Replace") {
        std::string to = reader.text(value, "content");
        const Json* pattern = value.find("pattern");
        if (pattern && pattern->find("String")) {
            each([from = reader.text(*pattern, "String"), to](std::string_view token, bool) {
                return replaced(token, from, to);
            });
        } else if (pattern && pattern->find("Regex")) {
            auto scanner = std::make_shared<const Regex>(reader.text(*pattern, "Regex"));
            each([scanner, to](std::string_view token, bool) {
                return replaced_matches(token, *scanner, to);
            });
        } else {
            reader.refuse("the decoder Replace has no pattern");
        }
    } else if (type == "Strip") {
        std::string mark;
        append_utf8(mark, reader.character(value, "content"));
        std::int64_t start = reader.number(value, "start", 0);
        std::int64_t stop = reader.number(value, "stop", 0);
        if (start < 0 || stop < 0)
            reader.refuse("the decoder Strip takes away less than nothing");
        steps_.push_back([=] {
            return std::make_unique<Strip>(
                mark, static_cast<std::size_t>(start), static_cast<std::size_t>(stop));
        });
    } else if (type == "Metaspace") {
        std::string mark;
        append_utf8(mark, reader.character(value, "replacement"));
        bool otherwise = reader.flag(value, "add_prefix_space", true);
        std::string scheme = reader.text(value, "prepend_scheme", otherwise ? "always" : "never");
        each(metaspace(mark, scheme != "never"));
    } else if (type == "WordPiece") {
        each(word_piece(reader.text(value, "prefix", "##"), reader.flag(value, "cleanup", true)));
    } else if (type == "BPEDecoder") {
        std::string suffix = reader.text(value, "suffix", "</w>");
        steps_.push_back([suffix] { return std::make_unique<WordEnds>(suffix); });
    } else if (type == "CTC") {
        std::string pad = reader.text(value, "pad_token", "<pad>");
        std::string delimiter = reader.text(value, "word_delimiter_token", "|");
        bool cleanup = reader.flag(value, "cleanup", true);
        steps_.push_back([=] { return std::make_unique<Ctc>(pad, delimiter, cleanup); });
    } else {
        reader.refuse(fmt::format("the decoder '{}' is not known", type));
    }
}

std::vector<std::unique_ptr<DecoderStage>> Decoder::chain() const {
    std::vector<std::unique_ptr<DecoderStage>> out;
    for (const Make& make : steps_)
        out.push_back(make());
    for (std::size_t i = 0; i + 1 < out.size(); ++i)
        out[i]->next = out[i + 1].get();
    return out;
}

}  // namespace stillroom::lm
