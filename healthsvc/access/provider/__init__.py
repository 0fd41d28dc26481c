"""统一身份登录: people sign in at the site's own identity provider (OpenID Connect Core 1.0); local accounts stay the way back."""
