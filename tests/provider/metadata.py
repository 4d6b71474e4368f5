"""The metadata document (RFC 8414 and OpenID Connect Discovery have the same members here)."""

PATHS = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")


def document(dialect, issuer):
    methods = {"basic": "client_secret_basic", "basic_raw": "client_secret_basic",
               "post": "client_secret_post", "private_key_jwt": "private_key_jwt",
               "tls": "tls_client_auth"}
    members = {
        "issuer": issuer,
        "authorization_endpoint": issuer + dialect.authorize_path,
        "token_endpoint": issuer + dialect.token_path,
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": sorted({methods[a] for a in dialect.client_auth}),
        "authorization_response_iss_parameter_supported": dialect.iss,
    }
    if dialect.revocation_path:
        members["revocation_endpoint"] = issuer + dialect.revocation_path
    if dialect.device_path:
        members["device_authorization_endpoint"] = issuer + dialect.device_path
    if dialect.push_path:
        members["pushed_authorization_request_endpoint"] = issuer + dialect.push_path
        members["require_pushed_authorization_requests"] = True
    if dialect.pkce:
        members["code_challenge_methods_supported"] = ["S256"]
    return members
