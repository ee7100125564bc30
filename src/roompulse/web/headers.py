"""Headers that answers share."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # With `no-referrer` forms come with `Origin: null`, as if from another site (see web/origin.py).
    "Referrer-Policy": "same-origin",
}
"""On every page: nothing is loaded from elsewhere, nothing is inline, nobody frames it."""

CORS_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After",
}
"""On answers to SDKs, which post from the pages of other sites and send no credentials."""

CORS_PREFLIGHT_HEADERS = CORS_HEADERS | {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "86400",
}
