"""ApiError, and one function for each refusal that any resource may meet.

Sources of facts: recorded (messages and `values` of the errors seen), the REST page "Batch Status and Error
Codes" for the rest. Each function makes an error; the caller raises it.
"""

from __future__ import annotations

from orchestrator.local.wire.layout import render
from orchestrator.local.wire.times import full_timestamp

ERRORS_METADATA = "Microsoft.Azure.Batch.Protocol.Entities.Container.errors/@Element"


class ApiError(Exception):
    """A refusal, as the service tells it.

    Args:
        status: HTTP status.
        code: for programs.
        message: one sentence for people; also the reason phrase of the answer.
        values: details, key and value.
    """

    def __init__(self, status: int, code: str, message: str, **values: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.values = values

    def text(self, request_id: str, at: int) -> str:
        """Say it with the request's id and time.

        Args:
            request_id: of the answer's header.
            at: when, in ticks.

        Returns:
            The sentence and two more lines.
        """
        return f"{self.message}\nRequestId:{request_id}\nTime:{full_timestamp(at)}"

    def body(self, account_url: str, request_id: str, at: int) -> bytes:
        """Write the body of the answer.

        Args:
            account_url: without a slash at the end.
            request_id: of the answer's header.
            at: when, in ticks.

        Returns:
            JSON in the recorded layout.
        """
        members: dict[str, object] = {
            "odata.metadata": f"{account_url}/$metadata#{ERRORS_METADATA}",
            "code": self.code,
            "message": {"lang": "en-US", "value": self.text(request_id, at)},
        }
        if self.values:
            members["values"] = [{"key": key, "value": value} for key, value in self.values.items()]
        return render(members)


def authentication_failed(detail: str) -> ApiError:
    """The signature, its date or its account is wrong (403, not 401: recorded)."""
    message = (
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed"
        " correctly including the signature."
    )
    return ApiError(403, "AuthenticationFailed", message, AuthenticationErrorDetail=detail)


def invalid_token(detail: str) -> ApiError:
    """A bearer token is not one of this account's, or its time is over (401, as documented for tokens)."""
    message = (
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed"
        " correctly including the signature."
    )
    return ApiError(401, "AuthenticationFailed", message, AuthenticationErrorDetail=detail)


def forbidden_origin(header: str) -> ApiError:
    """A page in a browser, or a name rebound to loopback, tried to drive the service."""
    message = "The local service answers programs on this machine only."
    return ApiError(403, "InsufficientAccountPermissions", message, HeaderName=header)


def internal_error() -> ApiError:
    """Something broke here; the log knows what."""
    return ApiError(
        500, "InternalError", "Server encountered an internal error. Please try again after some time."
    )


def not_implemented(what: str) -> ApiError:
    """The local service does not serve this, and says so by name."""
    return ApiError(501, "NotImplemented", f"The local service does not serve {what}.", Operation=what)


def missing_query_parameter(name: str) -> ApiError:
    """A query parameter that must be there is not."""
    message = "A query parameter that's mandatory for this request is not specified."
    return ApiError(400, "MissingRequiredQueryParameter", message, QueryParameterName=name)


def unsupported_query_parameter(name: str) -> ApiError:
    """The operation does not know this query parameter."""
    message = "One of the query parameters specified in the request URI is not supported."
    return ApiError(400, "UnsupportedQueryParameter", message, QueryParameterName=name)


def invalid_query_parameter(name: str, value: str, reason: str) -> ApiError:
    """A query parameter has a value that can't be used."""
    message = "Value for one of the query parameters specified in the request URI is invalid."
    return ApiError(
        400,
        "InvalidQueryParameterValue",
        message,
        QueryParameterName=name,
        QueryParameterValue=value,
        Reason=reason,
    )


def out_of_range_query_parameter(name: str, value: str, reason: str) -> ApiError:
    """A query parameter has a number outside its range."""
    message = "A query parameter specified in the request URI is outside the permissible range."
    return ApiError(
        400,
        "OutOfRangeQueryParameterValue",
        message,
        QueryParameterName=name,
        QueryParameterValue=value,
        Reason=reason,
    )


def unsupported_version(version: str) -> ApiError:
    """The api-version is none that this service speaks."""
    message = "The specified api version string is invalid or not supported."
    return ApiError(400, "UnsupportedRequestVersion", message, RequestVersion=version)


def invalid_header(name: str, value: str, reason: str) -> ApiError:
    """A header has a value that can't be used."""
    message = "The value for one of the HTTP headers is not in the correct format."
    return ApiError(400, "InvalidHeaderValue", message, HeaderName=name, HeaderValue=value, Reason=reason)


def multiple_conditions() -> ApiError:
    """More conditional headers than can be obeyed."""
    message = "Multiple condition headers are not supported."
    return ApiError(400, "MultipleConditionHeadersNotSupported", message)


def condition_not_met() -> ApiError:
    """A conditional header of a write, or If-Match of a read, is not met."""
    message = "The condition specified using HTTP conditional header(s) is not met."
    return ApiError(412, "ConditionNotMet", message)


def not_modified() -> ApiError:
    """If-None-Match or If-Modified-Since of a read is not met; the answer has no body."""
    return ApiError(304, "ConditionNotMet", "Not Modified")


def invalid_request_body(reason: str) -> ApiError:
    """The body is no JSON object."""
    message = "The specified Request Body is not syntactically valid."
    return ApiError(400, "InvalidRequestBody", message, Reason=reason)


def body_too_large(limit: int) -> ApiError:
    """The body is longer than the service reads."""
    message = "The request body is too large and exceeds the maximum permissible limit."
    return ApiError(413, "RequestBodyTooLarge", message, MaxLimit=str(limit))


def unsupported_property(name: str) -> ApiError:
    """The body has a member that the type does not have."""
    message = "One of the properties specified in the request body is not supported."
    return ApiError(400, "UnsupportedProperty", message, PropertyName=name)


def missing_property(name: str) -> ApiError:
    """A member that must be there is not."""
    message = "A required property was not specified in the request body."
    return ApiError(400, "MissingRequiredProperty", message, PropertyName=name)


def invalid_property(name: str, value: str, reason: str) -> ApiError:
    """A member has a value that can't be used."""
    message = "The value provided for one of the properties in the request body is invalid."
    return ApiError(
        400, "InvalidPropertyValue", message, PropertyName=name, PropertyValue=value, Reason=reason
    )


def resource_not_found() -> ApiError:
    """No operation has this path."""
    return ApiError(404, "ResourceNotFound", "The specified resource does not exist.")


def unsupported_verb(method: str) -> ApiError:
    """The path exists, but not with this method."""
    message = "The resource doesn't support the specified HTTP verb."
    return ApiError(405, "UnsupportedHttpVerb", message, Verb=method)


def invalid_range(value: str) -> ApiError:
    """The range asked for is not in the file."""
    message = "The range specified is invalid for the current size of the resource."
    return ApiError(416, "InvalidRange", message, RangeHeader=value)
