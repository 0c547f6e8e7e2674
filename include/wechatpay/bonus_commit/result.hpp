/// A value or an error.
#ifndef WECHATPAY_BONUS_COMMIT_RESULT_HPP
#define WECHATPAY_BONUS_COMMIT_RESULT_HPP

#include <functional>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/error.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Thrown by Result::value() if there is no value. The only exception class of this library.
class WECHATPAY_BONUS_COMMIT_TYPE BadResultAccess : public std::runtime_error {
 public:
  /// what() returns the error in one line.
  explicit BadResultAccess(Error error) : std::runtime_error(error.to_string()), error_(std::move(error)) {}

  /// Copyable, as an exception must be.
  /// @{
  BadResultAccess(const BadResultAccess&) = default;
  BadResultAccess& operator=(const BadResultAccess&) = default;
  /// @}

  // Defined in the library, so that the only type information is there: programs may be compiled without RTTI.
  WECHATPAY_BONUS_COMMIT_EXPORT ~BadResultAccess() override;

  /// The error.
  const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

namespace stages {

/// \ingroup stages
/// Throws BadResultAccess. It is outside the templates below, so that they compile with -fno-exceptions.
[[noreturn]] WECHATPAY_BONUS_COMMIT_EXPORT void throw_bad_result_access(const Error& error);

}  // namespace stages

/// std::expected<T, Error> for C++17. What it has, has the same names and behaviour. It has no default constructor, no
/// emplace(), error_or() and swap(), and value() throws BadResultAccess.
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;      ///< as in std::expected
  using error_type = Error;  ///< as in std::expected

  /// Implicit conversions: a function that returns a Result may return the value, anything that converts to it, or the
  /// error.
  /// @{
  template <typename U = T,
            typename = std::enable_if_t<std::is_convertible_v<U&&, T> && !std::is_same_v<std::decay_t<U>, Result>>>
  Result(U&& value) : content_(std::in_place_index<0>, std::forward<U>(value)) {}
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}
  /// @}

  /// Converts from a Result of a type that converts to T.
  template <typename U, typename = std::enable_if_t<!std::is_same_v<T, U> && std::is_convertible_v<U&&, T>>>
  Result(Result<U> other) : Result(other ? Result(*std::move(other)) : Result(std::move(other).error())) {}

  /// Whether there is a value, and no error.
  /// @{
  bool has_value() const noexcept { return content_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  /// @}

  /// The value. Throws BadResultAccess, which contains the error, if there is none.
  /// @{
  const T& value() const& {
    require_value();
    return **this;
  }
  T& value() & {
    require_value();
    return **this;
  }
  T&& value() && {
    require_value();
    return *std::move(*this);
  }
  /// @}

  /// The value, or `other` if there is none.
  /// @{
  template <typename U>
  T value_or(U&& other) const& {
    return has_value() ? **this : static_cast<T>(std::forward<U>(other));
  }
  template <typename U>
  T value_or(U&& other) && {
    return has_value() ? *std::move(*this) : static_cast<T>(std::forward<U>(other));
  }
  /// @}

  /// The value, unchecked: call has_value() first.
  /// @{
  const T& operator*() const& noexcept { return *std::get_if<0>(&content_); }
  T& operator*() & noexcept { return *std::get_if<0>(&content_); }
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&content_)); }
  const T* operator->() const noexcept { return std::get_if<0>(&content_); }
  T* operator->() noexcept { return std::get_if<0>(&content_); }
  /// @}

  /// The error, unchecked: ask has_value() first.
  /// @{
  const Error& error() const& noexcept { return *std::get_if<1>(&content_); }
  Error& error() & noexcept { return *std::get_if<1>(&content_); }
  Error&& error() && noexcept { return std::move(*std::get_if<1>(&content_)); }
  /// @}

  /// Calls `next` with the value and returns its Result; returns the error if there is no value.
  /// @{
  template <typename F>
  auto and_then(F&& next) const& {
    return chain(*this, std::forward<F>(next));
  }
  template <typename F>
  auto and_then(F&& next) && {
    return chain(std::move(*this), std::forward<F>(next));
  }
  /// @}

  /// Calls `change` with the value and returns what it returns, as a Result; returns the error if there is no value.
  /// @{
  template <typename F>
  auto transform(F&& change) const& {
    return change_value(*this, std::forward<F>(change));
  }
  template <typename F>
  auto transform(F&& change) && {
    return change_value(std::move(*this), std::forward<F>(change));
  }
  /// @}

  /// Returns the value. If there is none, calls `next` with the error and returns what it returns: a Result of T, or an
  /// error.
  /// @{
  template <typename F>
  Result or_else(F&& next) const& {
    return has_value() ? *this : Result(std::invoke(std::forward<F>(next), error()));
  }
  template <typename F>
  Result or_else(F&& next) && {
    return has_value() ? std::move(*this) : Result(std::invoke(std::forward<F>(next), std::move(*this).error()));
  }
  /// @}

  /// Returns the value. If there is none, calls `change` with the error and returns the error that it returns.
  /// @{
  template <typename F>
  Result transform_error(F&& change) const& {
    return has_value() ? *this : Result(Error(std::invoke(std::forward<F>(change), error())));
  }
  template <typename F>
  Result transform_error(F&& change) && {
    return has_value() ? std::move(*this)
                       : Result(Error(std::invoke(std::forward<F>(change), std::move(*this).error())));
  }
  /// @}

  /// Whether both hold equal values, or equal errors. A plain value or error may be on either side.
  /// @{
  friend bool operator==(const Result& a, const Result& b) { return a.content_ == b.content_; }
  friend bool operator!=(const Result& a, const Result& b) { return !(a == b); }
  /// @}

 private:
  void require_value() const {
    if (!has_value()) stages::throw_bad_result_access(error());
  }

  template <typename Self, typename F>
  static auto chain(Self&& self, F&& next) {
    using Next = std::decay_t<std::invoke_result_t<F, decltype(*std::forward<Self>(self))>>;
    if (!self.has_value()) return Next(std::forward<Self>(self).error());
    return std::invoke(std::forward<F>(next), *std::forward<Self>(self));
  }

  template <typename Self, typename F>
  static auto change_value(Self&& self, F&& change) {
    using U = std::decay_t<std::invoke_result_t<F, decltype(*std::forward<Self>(self))>>;
    if (!self.has_value()) return Result<U>(std::forward<Self>(self).error());
    if constexpr (std::is_void_v<U>) {
      std::invoke(std::forward<F>(change), *std::forward<Self>(self));
      return Result<U>();
    } else {
      return Result<U>(std::invoke(std::forward<F>(change), *std::forward<Self>(self)));
    }
  }

  std::variant<T, Error> content_;
};

/// Success or an error.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;   ///< as in std::expected
  using error_type = Error;  ///< as in std::expected

  Result() noexcept = default;                       ///< success
  Result(Error error) : error_(std::move(error)) {}  ///< implicit: a function may return the error

  /// Whether there is no error.
  /// @{
  bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return has_value(); }
  /// @}

  /// Throws BadResultAccess, which contains the error, if there is one.
  void value() const {
    if (error_) stages::throw_bad_result_access(*error_);
  }

  /// The error, unchecked: ask has_value() first.
  /// @{
  const Error& error() const& noexcept { return *error_; }
  Error& error() & noexcept { return *error_; }
  Error&& error() && noexcept { return *std::move(error_); }
  /// @}

  /// Calls `next` without arguments and returns its Result; returns the error if there is one.
  template <typename F>
  auto and_then(F&& next) const {
    using Next = std::decay_t<std::invoke_result_t<F>>;
    return error_ ? Next(*error_) : std::invoke(std::forward<F>(next));
  }

  /// Calls `make` without arguments and returns what it returns, as a Result; returns the error if there is one.
  template <typename F>
  auto transform(F&& make) const {
    using U = std::decay_t<std::invoke_result_t<F>>;
    if (error_) return Result<U>(*error_);
    if constexpr (std::is_void_v<U>) {
      std::invoke(std::forward<F>(make));
      return Result<U>();
    } else {
      return Result<U>(std::invoke(std::forward<F>(make)));
    }
  }

  /// If there is an error, calls `next` with it and returns what it returns: a Result<void>, or an error.
  template <typename F>
  Result or_else(F&& next) const {
    return error_ ? Result(std::invoke(std::forward<F>(next), *error_)) : *this;
  }

  /// If there is an error, calls `change` with it and returns the error that it returns.
  template <typename F>
  Result transform_error(F&& change) const {
    return error_ ? Result(Error(std::invoke(std::forward<F>(change), *error_))) : *this;
  }

  /// Whether both are success, or hold equal errors.
  /// @{
  friend bool operator==(const Result& a, const Result& b) { return a.error_ == b.error_; }
  friend bool operator!=(const Result& a, const Result& b) { return !(a == b); }
  /// @}

 private:
  std::optional<Error> error_;
};

WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/result.ipp"
#endif

#endif
