package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

func sign(key, message []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(message)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// IsGenuineStandard is for Standard Webhooks. secrets: each whsec_… that is live. header: http.Header.Get. body: as it came, unparsed.
func IsGenuineStandard(secrets []string, header func(string) string, body []byte, now time.Time) bool {
	id, timestamp := header("webhook-id"), header("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if age := now.Unix() - seconds; id == "" || err != nil || age > 300 || age < -300 {
		return false
	}
	message := append([]byte(id+"."+timestamp+"."), body...)
	for _, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			continue
		}
		expected := []byte("v1," + sign(key, message))
		for _, signature := range strings.Split(header("webhook-signature"), " ") {
			if hmac.Equal(expected, []byte(signature)) {
				return true
			}
		}
	}
	return false
}

// IsGenuineKloudless is for Kloudless's format. secrets: each bhs_… that is live.
func IsGenuineKloudless(secrets []string, header func(string) string, body []byte) bool {
	for _, secret := range secrets {
		if hmac.Equal([]byte(sign([]byte(secret), body)), []byte(header("x-kloudless-signature"))) {
			return true
		}
	}
	return false
}

// To try it: {"format", "secrets", "headers", "body"}, one a line, on standard input.
func main() {
	for input := json.NewDecoder(os.Stdin); input.More(); {
		var given struct {
			Format  string
			Secrets []string
			Headers map[string]string
			Body    string
		}
		if err := input.Decode(&given); err != nil {
			panic(err)
		}
		header := func(name string) string { return given.Headers[name] }
		verdict := "forged"
		if given.Format == "kloudless" && IsGenuineKloudless(given.Secrets, header, []byte(given.Body)) ||
			given.Format == "standard" && IsGenuineStandard(given.Secrets, header, []byte(given.Body), time.Now()) {
			verdict = "genuine"
		}
		fmt.Println(verdict)
	}
}
