package enforce

import "strings"

// maxName bounds the names that are looked at, in bytes; a longer one is cut at
// its front, so that what it ends in still counts.
const maxName = 64

// fold writes name to buf in lower case without separators, percent-encoding,
// brackets and a number at its end, so that X-Amz-Signature and
// x_amz_signature, access_token and access%5Ftoken, token and token[0] are each
// one name.
func fold(buf *[maxName]byte, name string) []byte {
	out := buf[:0]
	if len(name) > maxName {
		name = name[len(name)-maxName:]
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '%' && i+2 < len(name) {
			if b, ok := unhexByte(name[i+1], name[i+2]); ok {
				c = b
				i += 2
			}
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if isAlnum(c) {
			out = append(out, c)
		}
	}
	for len(out) > 0 && '0' <= out[len(out)-1] && out[len(out)-1] <= '9' {
		out = out[:len(out)-1]
	}
	return out
}

// secretParameter reports whether a query parameter of this name holds a secret.
func secretParameter(name string) bool {
	var buf [maxName]byte
	folded := fold(&buf, name)
	switch string(folded) {
	case "sig", "hmac", "key", "code", "jwt", "auth", "authorization", "pass", "pwd", "pin", "otp", "sid", "session",
		"sessionid", "sessionkey", "ticket", "assertion", "clientassertion", "samlresponse", "samlrequest", "bearer",
		"codeverifier", "oauthverifier", "awsaccesskeyid", "cookie", "passphrase", "sas", "webhookkey", "sharedkey",
		"accountkey", "authkey", "subscriptionkey", "licensekey", "signingkey", "encryptionkey", "masterkey":
		return true
	}
	return endsSecret(folded)
}

// secretHeader reports whether a header field of this name holds a secret.
func secretHeader(name string) bool {
	var buf [maxName]byte
	folded := fold(&buf, name)
	switch string(folded) {
	case "authorization", "proxyauthorization", "xauthorization", "xamzauthorization", "xforwardedauthorization",
		"xmsauthorizationauxiliary", "authenticationinfo", "proxyauthenticationinfo",
		"cookie", "setcookie", "xregistryauth", "xregistryconfig", "xauth", "xauthkey",
		"npmotp", "xotp", "xgithubotp", "xgemfuryotp", "otp", "ocpapimsubscriptionkey", "xfunctionskey",
		"xjfrogartapi", "xmsclientprincipal", "dpop", "xsession", "xsessionid", "xcsrf", "xgooghmac", "xamzserversideencryptioncustomerkey", "xgoogencryptionkey", "xmsencryptionkey":
		return true
	}
	return endsSecret(folded)
}

// secretField reports whether a name in free text, before a colon or an equals
// sign, announces a secret. Words that mean other things in a sentence (code,
// key, auth) do not.
func secretField(name string) bool {
	var buf [maxName]byte
	folded := fold(&buf, name)
	switch string(folded) {
	case "authorization", "proxyauthorization", "cookie", "setcookie", "passphrase", "pwd", "npmotp",
		"xjfrogartapi", "xregistryauth", "awsaccesskeyid", "sharedkey", "accountkey", "authkey":
		return true
	}
	return endsSecret(folded)
}

// endsSecret reports whether a folded name ends as secrets are called.
func endsSecret(folded []byte) bool {
	for _, end := range [...]string{
		"token", "secret", "password", "passwd", "apikey", "accesskey", "secretkey", "privatekey", "signature", "credential", "credentials",
	} {
		if strings.HasSuffix(string(folded), end) {
			return true
		}
	}
	return false
}

func unhexByte(hi, lo byte) (byte, bool) {
	h, ok1 := unhexDigit(hi)
	l, ok2 := unhexDigit(lo)
	return h<<4 | l, ok1 && ok2
}

func unhexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	default:
		return 0, false
	}
}
