/**
 * The client assertions that the SMART App Launch guide publishes, page "Client Authentication: Asymmetric", with their
 * public keys. HL7/smart-app-launch, version 2.2.0, CC0-1.0.
 */
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { assertionAlgorithms } from '../../../src/smart/clients/assertions.ts'
import { parseKeySet } from '../../../src/smart/clients/key-sets.ts'

const keys = [
  {
    kty: 'RSA',
    alg: 'RS384',
    n: 'wJq2RHIA-7RT6q4go7wjcbHdW7ck7Kz22A8wf-kN7Wi5CWvhFG2_Y7nQp1lDpb2IKMQr-Q4n_vgJ6d5rWPspJpSPY7iffUK4ipQCEbzID5DJ6fQMBZOfCTXyxkuMh3jYGKEF3Ziw2oxbM1H9j-eJAPtrj5stUG6kVoXowegdox-bSjWP0iI5PnkwUNzcekLMug4M3LRluEQgGR9O_BAML6-w3igZ_rZA_gunyrLAMbfmCVaceW5ohLp679kyM7U6W2gDK_NbkDKcINUakVmPeoG5h8RzgGzvGrySR0k0VDFiZv60Ua07DqHTeDGH9e4NV07AECae-oykIj5NDCs3pw',
    e: 'AQAB',
    key_ops: ['verify'],
    ext: true,
    kid: 'eee9f17a3b598fd86417a980b591fbe6',
  },
  {
    kty: 'EC',
    crv: 'P-384',
    x: 'pyqburM9y8HPcFhNosDW6ngoVEJitqXi_HJgI5hYqX21PoFDwCbYirGy_o0oapIU',
    y: '95bxkCnMKoHvgbcPAIAcgzzu8scd81mXfM_IzuJFNfkUNkGYBFGvuEU1KPi5j1ob',
    key_ops: ['verify'],
    ext: true,
    kid: 'cd520211e5661dbba2256f67f6d53f97',
    alg: 'ES384',
  },
]

const claims =
  'eyJpc3MiOiJodHRwczovL2JpbGktbW9uaXRvci5leGFtcGxlLmNvbSIsInN1YiI6Imh0dHBzOi8vYmlsaS1tb25pdG9yLmV4YW1wbGUuY29tIiwiYXVkIjoiaHR0cHM6Ly9hdXRob3JpemUuc21hcnRoZWFsdGhpdC5vcmcvdG9rZW4iLCJleHAiOjE0MjI1Njg4NjAsImp0aSI6InJhbmRvbS1ub24tcmV1c2FibGUtand0LWlkLTEyMyJ9'

const assertions = [
  `eyJhbGciOiJSUzM4NCIsImtpZCI6ImVlZTlmMTdhM2I1OThmZDg2NDE3YTk4MGI1OTFmYmU2IiwidHlwIjoiSldUIn0.${claims}.D5kAqNJwaftCqsRdVVQDq6dMBxuGFOF5svQJuXbcYp-oEyg5qOwK9ZE5cGLTHxqwfpUPNzRKgVdIGuhawAA-8g0s1nKQae8CuKs33hhKh4J34xSEwW3MYs1gwI4GHTtR_g3kYSX6QCi14Ed3GIAvYFgqRqt-gD7sewMUXL4SB8I8cXcDbCqVizm7uPVhjw6QaeKZygJJ_AVLhM4Xs9LTy4HAhdCHpN0FrNmCerUIYJvHDpcod7A0jDmxdoeW1KIBYlhdhQNwjtsTvT1ce4qacN_3KIv_fIzCKLIgDv9eWxkjAtxOmIm8aW5gX9xX7X0nbd0QglIyiic_bZVNNEh0kg`,
  `eyJhbGciOiJFUzM4NCIsImtpZCI6ImNkNTIwMjExZTU2NjFkYmJhMjI1NmY2N2Y2ZDUzZjk3IiwidHlwIjoiSldUIn0.${claims}.ddl5N8dt5PYI_7syKg_dm1wj1LR3dYVztFlTODs6pU1vKH1Zv3d9NctbnAsZ4aZ1K7HE83_fA_hIAL0JsU1GoB7roLmrpj8zfygG9Q1ZBAmKNoR60pyONPZsGTihoR29`,
]

/** The algorithms of the published assertions that verify with our rules on keys and algorithms, at the time they were made. */
export async function verifyGuideExamples(): Promise<string[]> {
  const keySet = parseKeySet({ keys })
  if (keySet === undefined) return []
  const verified: string[] = []
  for (const assertion of assertions) {
    await jwtVerify(assertion, createLocalJWKSet(keySet), {
      algorithms: [...assertionAlgorithms],
      audience: 'https://authorize.smarthealthit.org/token',
      currentDate: new Date(1_422_568_860_000 - 60_000),
    })
    verified.push(String(decodeProtectedHeader(assertion).alg))
  }
  return verified
}
