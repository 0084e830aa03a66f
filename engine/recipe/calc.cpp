#include "engine/recipe/calc.h"

#include "engine/base/text.h"
#include "engine/document/scalar.h"
#include "engine/recipe/calc_value.h"
#include "engine/recipe/primitive.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stillroom {
namespace {

constexpr int kMostDepth = 64;
constexpr std::size_t kLongestNumber = 64;
constexpr std::array<std::string_view, 6> kFunctions = {
    "min", "max", "abs", "floor", "ceil", "round"};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// Ends the calculation; an empty message is reported already.
struct Stop {
    std::size_t begin, end;
    std::string message;
    std::string hint;
};

class Calculator {
public:
    Calculator(std::string_view text, const CalcInput& input) : text_(text), input_(input) {}

    CalcValue run() {
        skip_blanks();
        if (at_end())
            throw Stop{0, text_.size(), "there is nothing to calculate", {}};
        CalcValue value = sum();
        if (!at_end())
            fail_here("an operator");
        return value;
    }

private:
    bool at_end() const { return at_ >= text_.size(); }
    char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    void skip_blanks() {
        while (!at_end() && (is_blank(peek()) || peek() == '\n' || peek() == '\r'))
            ++at_;
    }
    bool take(std::string_view sign) {
        if (!text_.substr(std::min(at_, text_.size())).starts_with(sign))
            return false;
        at_ += sign.size();
        skip_blanks();
        return true;
    }

    [[noreturn]] void fail_here(std::string_view expected) const {
        if (at_end())
            throw Stop{
                at_, at_, fmt::format("the expression ends where {} must follow", expected), {}};
        std::size_t end = at_;
        decode_utf8(text_, end);
        throw Stop{at_,
                   end,
                   fmt::format("'{}' cannot stand here, {} must follow",
                               escape_controls(text_.substr(at_, end - at_)),
                               expected),
                   {}};
    }

    template <class Work>
    CalcValue at(std::size_t begin, Work work) const {
        try {
            return work();
        } catch (CalcFailure& failure) {
            std::size_t end = at_;
            while (end > begin + 1 && is_blank(text_[end - 1]))
                --end;
            throw Stop{begin, end, std::move(failure.message), {}};
        }
    }

    CalcValue sum() {
        std::size_t begin = at_;
        CalcValue left = product();
        while (peek() == '+' || peek() == '-') {
            std::string_view sign = text_.substr(at_, 1);
            take(sign);
            CalcValue right = product();
            left = at(begin, [&] { return calc_binary(sign, left, right); });
        }
        return left;
    }

    CalcValue product() {
        std::size_t begin = at_;
        CalcValue left = signed_power();
        while (peek() == '*' || peek() == '/' || peek() == '%') {
            std::string_view sign = text_.substr(at_, peek() == '/' && peek(1) == '/' ? 2 : 1);
            take(sign);
            CalcValue right = signed_power();
            left = at(begin, [&] { return calc_binary(sign, left, right); });
        }
        return left;
    }

    /// -2**2 is -4, 2**-1 is a half, 2**3**2 is 512.
    CalcValue signed_power() {
        if (++depth_ > kMostDepth)
            throw Stop{at_, at_ + 1, fmt::format("nested deeper than {}", kMostDepth), {}};
        std::size_t begin = at_;
        CalcValue out;
        if (take("-")) {
            CalcValue value = signed_power();
            out = at(begin, [&] { return calc_negate(value); });
        } else if (take("+")) {
            out = signed_power();
        } else {
            out = operand();
            if (take("**")) {
                CalcValue exponent = signed_power();
                out = at(begin, [&] { return calc_binary("**", out, exponent); });
            }
        }
        --depth_;
        return out;
    }

    CalcValue operand() {
        std::size_t begin = at_;
        if (take("(")) {
            CalcValue value = sum();
            if (!take(")"))
                fail_here("')'");
            return value;
        }
        if (peek() == '$' && peek(1) == '{') {
            std::size_t length = interpolation_length(text_.substr(at_));
            if (length == 0)
                throw Stop{at_, at_ + 2, "the '${' that opens here is never closed", {}};
            std::string_view text = text_.substr(at_, length);
            at_ += length;
            NodePtr node = input_.interpolation(text, begin);
            CalcValue value = value_of(node, begin, text);
            skip_blanks();
            return value;
        }
        if (is_digit(peek()) || (peek() == '.' && is_digit(peek(1))))
            return number();
        if (is_name(peek()) || (peek() == '.' && (peek(1) == '.' || is_name(peek(1)))))
            return name();
        fail_here("a number, a key or '('");
    }

    CalcValue number() {
        std::size_t begin = at_;
        bool based = peek() == '0' && (peek(1) == 'x' || peek(1) == 'o');
        while (is_digit(peek()) || is_name(peek()) || peek() == '.') {
            bool exponent = !based && (peek() == 'e' || peek() == 'E') &&
                            (peek(1) == '+' || peek(1) == '-') && is_digit(peek(2));
            at_ += exponent ? 2 : 1;
        }
        std::string_view text = text_.substr(begin, at_ - begin);
        std::optional<Decimal> value = parse_count(text);
        if (!value || text.size() > kLongestNumber)
            throw Stop{begin,
                       at_,
                       fmt::format("'{}' is no number", shorten(text, 40)),
                       "a key that begins with a digit is written ${KEY}"};
        skip_blanks();
        bool real =
            !based && text.find_first_of(".eE") != std::string_view::npos && !is_name(text.back());
        return checked({!real && value->is_integer(), *value}, begin);
    }

    /// A literal or setting must be a number that the rest can count with.
    CalcValue checked(CalcValue value, std::size_t begin) const {
        std::size_t end = std::max(at_, begin + 1);
        if (value.integer && !value.number.to_int64())
            throw Stop{begin, end, "the integer does not fit in 64 bits", {}};
        double rounded = value.number.to_double();
        if (rounded - rounded != 0 || (rounded == 0 && !value.number.is_zero()))
            throw Stop{begin, end, "the number is too large or too small to calculate with", {}};
        return value;
    }

    CalcValue name() {
        std::size_t begin = at_;
        while (peek() == '.')
            ++at_;
        auto word = [&] {
            while (is_name(peek()) || is_digit(peek()))
                ++at_;
        };
        word();
        while (peek() == '.' || peek() == '[') {
            bool bracket = peek() == '[';
            std::size_t before = at_++;
            if (bracket && peek() == '-')
                ++at_;
            word();
            if (bracket && peek() != ']')
                throw Stop{before, before + 1, "the '[' that opens here is never closed", {}};
            if (bracket)
                ++at_;
        }
        std::string_view path = text_.substr(begin, at_ - begin);
        std::size_t end = at_;
        skip_blanks();
        if (peek() == '(')
            return call(path, begin);
        at_ = end;
        NodePtr node = input_.path(path, begin);
        CalcValue value = value_of(node, begin, path);
        skip_blanks();
        return value;
    }

    CalcValue call(std::string_view function, std::size_t begin) {
        std::size_t name_end = begin + function.size();
        if (std::find(kFunctions.begin(), kFunctions.end(), function) == kFunctions.end()) {
            std::vector<std::string> names(kFunctions.begin(), kFunctions.end());
            throw Stop{begin,
                       name_end,
                       fmt::format("unknown function '{}'", function),
                       fmt::format("functions are {}", join(names))};
        }
        take("(");
        std::vector<CalcValue> arguments{sum()};
        while (take(","))
            arguments.push_back(sum());
        if (!take(")"))
            fail_here("',' or ')'");
        bool one = function != "min" && function != "max";
        if (one && arguments.size() != 1)
            throw Stop{begin, name_end, fmt::format("{} takes one number", function), {}};
        return at(begin, [&] { return calc_function(function, arguments); });
    }

    /// The number of a node: also of a plain text that spells a count, as 6B or 1_000.
    CalcValue value_of(const NodePtr& node, std::size_t begin, std::string_view text) const {
        if (!node)
            throw Stop{begin, at_, {}, {}};
        bool number = node->kind == Kind::integer || node->kind == Kind::number;
        bool count = node->kind == Kind::string && !node->quoted() && !node->secret;
        std::optional<Decimal> value = number  ? decimal_value(*node)
                                       : count ? parse_count(node->text)
                                               : std::nullopt;
        if (node->leading_zero || !value || node->text.size() > kLongestNumber) {
            std::string what = node->secret ? "a secret" : describe_value(*node);
            throw Stop{
                begin,
                begin + text.size(),
                node->leading_zero
                    ? fmt::format("'{}' is {}, whose leading zero is ambiguous", text, what)
                    : fmt::format("'{}' is {}, which is no number to calculate with", text, what),
                {}};
        }
        return checked({node->kind != Kind::number && value->is_integer(), *value}, begin);
    }

    std::string_view text_;
    const CalcInput& input_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace

CalcResult calculate(std::string_view expression, Span where, const CalcInput& input) {
    CalcResult out;
    try {
        CalcValue value = Calculator(expression, input).run();
        auto node = std::make_shared<Node>();
        node->kind = value.integer ? Kind::integer : Kind::number;
        node->origin = Origin::engine;
        node->text = value.number.text();
        node->where = where;
        out.value = std::move(node);
    } catch (Stop& stop) {
        out.begin = stop.begin;
        out.end = std::min(stop.end, expression.size());
        out.message = std::move(stop.message);
        out.hint = std::move(stop.hint);
    }
    return out;
}

}  // namespace stillroom
