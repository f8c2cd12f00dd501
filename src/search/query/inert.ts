/**
 * Parameters of a request that never narrow what is found, by name, each with the reason why a search may pass over it.
 * Whatever is neither a search parameter, nor a control, nor one of these is refused: an ignored filter would show too much.
 */
export const inertParameters: Readonly<Record<string, string>> = {
  _format: 'the form of the answer: https://hl7.org/fhir/R4/http.html#parameters',
  _pretty: 'the form of the answer: https://hl7.org/fhir/R4/http.html#parameters',
  _totalMethod: 'how a server counts; the total here is always exact',
  _timeout: 'how long the caller would wait',
  _maxresults: 'an upper bound that a server sets for itself; pages here have theirs',
  '_cache-control': 'a header written as a parameter; nothing here is answered from a cache',
  _cacheControl: 'the same',
  _narrative: 'which narratives HAPI generates; narratives here are what was written',
  _explain: 'asks how a query was run',
  _useResourceValidation: 'asks that a server check what it answers',
  _: 'a number that browsers add so that no cache answers',
}
