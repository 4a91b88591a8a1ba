require 'json'
require 'openssl'

def sign(key, message)
  [OpenSSL::HMAC.digest('SHA256', key, message)].pack('m0')
end

def same?(expected, given)
  expected.bytesize == given.bytesize && OpenSSL.fixed_length_secure_compare(expected, given)
end

# Standard Webhooks. secrets: each whsec_… that is live. headers: with lower-case names. body: as it came, unparsed.
def genuine_standard?(secrets, headers, body, now = Time.now.to_i)
  id, timestamp, signatures = %w[id timestamp signature].map { |name| headers["webhook-#{name}"].to_s }
  return false if id.empty? || !timestamp.match?(/\A\d{1,12}\z/) || (now - timestamp.to_i).abs > 300

  secrets.any? do |secret|
    expected = "v1,#{sign(secret.delete_prefix('whsec_').unpack1('m'), "#{id}.#{timestamp}.#{body}")}"
    signatures.split(' ').any? { |signature| same?(expected, signature) }
  end
end

# Kloudless's format. secrets: each bhs_… that is live.
def genuine_kloudless?(secrets, headers, body)
  secrets.any? { |secret| same?(sign(secret, body), headers['x-kloudless-signature'].to_s) }
end

if $PROGRAM_NAME == __FILE__ # to try it: {"format", "secrets", "headers", "body"}, one a line, on standard input
  $stdin.each_line do |line|
    format, *given = JSON.parse(line).values_at('format', 'secrets', 'headers', 'body')
    genuine = format == 'kloudless' ? genuine_kloudless?(*given) : genuine_standard?(*given)
    puts genuine ? 'genuine' : 'forged'
  end
end
