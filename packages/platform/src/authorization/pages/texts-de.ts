import type { Texts } from './texts-en.ts';

export const de: Texts = {
  page_name: 'Konto verbinden',
  chooser_title: 'Konto verbinden',
  chooser_lead: '{name} möchte mit einem Ihrer Konten arbeiten. Wo liegt es?',
  chooser_search: 'Suchen',
  chooser_no_match: 'Hier heißt nichts so.',
  chooser_hint: 'Sie melden sich beim Dienst selbst an. {name} sieht Ihr Passwort dort nie.',
  cancel: 'Abbrechen',
  form_title: '{service} verbinden',
  form_lead_api_key: 'Geben Sie den API-Schlüssel Ihres Kontos bei {service} ein. Sie finden ihn dort in den Kontoeinstellungen.',
  form_lead_basic: 'Geben Sie Benutzername und Passwort Ihres Kontos bei {service} ein.',
  form_api_key: 'API-Schlüssel',
  form_username: 'Benutzername',
  form_password: 'Passwort',
  form_submit: 'Verbinden',
  form_hint: 'Die Angaben werden verschlüsselt gespeichert. {name} nutzt sie nur, um mit diesem Konto zu arbeiten.',
  form_back: 'Anderen Dienst wählen',
  form_refused: '{service} hat das nicht angenommen. Prüfen Sie Ihre Eingabe und versuchen Sie es noch einmal.',
  form_unavailable: '{service} ist gerade nicht erreichbar. Versuchen Sie es gleich noch einmal.',
  form_missing: 'Füllen Sie alle Felder aus.',
  connected_title: 'Verbunden',
  connected_text: 'Sie können dieses Fenster schließen und zu {name} zurückkehren.',
  failed_title: 'Nicht verbunden',
  failed_text: 'Sie können dieses Fenster schließen und es in {name} noch einmal versuchen.',
  declined_text: 'Sie haben abgebrochen. Es wurde nichts verbunden. Sie können dieses Fenster schließen.',
  no_script: 'JavaScript ist in diesem Browser ausgeschaltet. {name} braucht es hier, um zu erfahren, dass das Konto verbunden ist.',
  no_opener:
    'Das Fenster, das danach gefragt hat, ist geschlossen und erfährt nichts davon. Gehen Sie zurück zu {name} und beginnen Sie neu.',
  error_link_title: 'Dieser Link funktioniert nicht',
  error_link_text:
    'Die Seite, von der Sie kommen, hat einen unvollständigen oder veralteten Link geschickt. Gehen Sie zurück und versuchen Sie es noch einmal; passiert es wieder, sagen Sie es den Leuten hinter {name}.',
  error_expired_title: 'Dieser Schritt ist vorbei',
  error_expired_text: 'Er wurde schon abgeschlossen oder hat zu lange gedauert. Gehen Sie zurück zu {name} und beginnen Sie neu.',
  error_opened_title: 'Dieser Link wurde schon geöffnet',
  error_opened_text:
    'Er lässt sich nur einmal öffnen: Er wurde schon geöffnet, vielleicht in einem anderen Fenster oder von einer Vorschau, oder er ist zu alt. Gehen Sie zurück zu {name} und beginnen Sie neu.',
  error_browser_title: 'In einem anderen Browser begonnen',
  error_browser_text:
    'Zu Ihrer Sicherheit lässt sich ein Konto nur in dem Browser verbinden, in dem das begonnen wurde. Gehen Sie in diesem Browser zurück zu {name} und beginnen Sie neu.',
  error_origin_title: 'Diese Website darf das noch nicht',
  error_origin_text:
    '{name} führt {origin} nicht als eigene Website. Von dort lässt sich deshalb kein Konto verbinden. Sagen Sie es den Leuten hinter der Website.',
  error_service_title: '{service} ließ sich nicht verbinden',
  error_service_text:
    '{service} hat mit etwas geantwortet, das sich nicht verwenden lässt; deshalb wurde nichts verbunden. Gehen Sie zu {name} zurück und versuchen Sie es noch einmal; kommt es wieder vor, sagen Sie es den Leuten hinter {name}.',
  error_silent_title: '{service} antwortet nicht',
  error_silent_text:
    'Der Dienst ist wohl überlastet oder gestört. Es wurde nichts verbunden. Warten Sie ein paar Minuten, gehen Sie dann zu {name} zurück und versuchen Sie es noch einmal.',
  error_setup_title: '{service} ist für {name} nicht richtig eingerichtet',
  error_setup_text:
    'Ein neuer Versuch hilft nicht: Die Leute hinter {name} müssen diese Verbindung in Ordnung bringen. Bitte sagen Sie es ihnen. Es wurde nichts verbunden.',
  error_refused_title: 'Nicht verbunden',
  error_refused_text:
    '{service} meldet, dass der Zugriff abgelehnt wurde. Es wurde nichts verbunden. War das ein Versehen, gehen Sie zu {name} zurück und versuchen Sie es noch einmal.',
  error_mismatch_title: 'Das ist ein anderes Konto',
  error_mismatch_text:
    'Um die Verbindung wiederherzustellen, melden Sie sich mit dem Konto an, das vorher verbunden war. Es wurde nichts geändert.',
  error_missing_title: 'Hier ist nichts',
  error_missing_text: 'Die Adresse ist vielleicht vertippt oder veraltet.',
  error_other_title: 'Etwas ist schiefgegangen',
  error_other_text: 'Es liegt nicht an Ihnen. Versuchen Sie es gleich noch einmal.',
  error_details: 'Einzelheiten für die Entwicklung',
  error_code: 'Code',
  error_reason: 'Grund',
  error_request: 'Anfrage',
  support: 'Hilfe',
  privacy: 'Datenschutz',
  the_service: 'Der Dienst',
  this_app: 'dieser Anwendung',
};
