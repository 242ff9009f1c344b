"""What shops, tills and web analytics call the columns of an order line; the likelier name first.

English, German, French and Spanish; exports of Shopify, WooCommerce, GA4 and Mixpanel. Names are compared in lower
case, without accents, words joined by ``_``.
"""

import re
import tomllib
import unicodedata
from pathlib import Path


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
NOBODY = _words(_WORDS["nobody"])  # ids that stand for nobody
STATUS = {key: _words(words) for key, words in _WORDS["status"].items()}

SYNONYMS: dict[str, tuple[str, ...]] = {
    "ordered_at": _words(
        """
        ordered_at order_date order_datetime order_timestamp order_ts invoice_date transaction_timestamp
        transaction_date purchase_date purchased_at created_at date_created order_created_at paid_at
        processed_at event_timestamp event_date event_time timestamp datetime date_time date day time
        bestelldatum bestellt_am rechnungsdatum kaufdatum belegdatum datum date_commande date_de_commande
        date_facture date_achat fecha_pedido fecha_factura fecha_compra fecha
        """
    ),
    "order_id": _words(
        """
        order_id order_number order_no order_nr order_name order invoice_id invoice_no invoice_number invoice
        transaction_id basket_id receipt_id receipt_no receipt checkout_id ecommerce_transaction_id
        bestellnummer bestell_nr bestellung auftragsnummer auftrag rechnungsnummer rechnung belegnummer bon_nr
        bon id_commande numero_commande commande numero_facture facture ticket id_pedido numero_pedido pedido
        numero_factura factura name
        """
    ),
    "customer_id": _words(
        """
        customer_id customer_number customer_no customer_nr customer_key customer cust_id client_id user_id
        customer_unique_id clientnum client_number client_num user_pseudo_id distinct_id
        member_id household_id household_key account_id buyer_id shopper_id
        loyalty_id card_id kunden_id kundennummer kunden_nr kundennr kunde id_client numero_client code_client
        client id_cliente codigo_cliente cliente_id cliente customer_email billing_email email user
        """
    ),
    "product_id": _words(
        """
        product_id product_code product_sku sku lineitem_sku line_item_sku item_sku stock_code item_id
        item_code article_id article_no variant_id product_number asin ean gtin upc artikelnummer artikel_nr
        artikel_id produkt_id id_produit code_produit reference_produit reference id_producto codigo_producto
        articulo product_name lineitem_name item_name product item artikel produkt article produit producto
        """
    ),
    "quantity": _words(
        """
        quantity qty lineitem_quantity line_quantity item_quantity product_qty order_item_quantity units menge
        anzahl stueckzahl stuckzahl quantite qte cantidad unidades
        """
    ),
    "amount": _words(
        """
        line_total line_amount line_subtotal sales_value net_amount net_sales product_net_revenue item_revenue
        extended_price amount sales revenue order_item_total umsatz zeilensumme zeilenbetrag positionsbetrag
        positionssumme gesamtbetrag betrag gesamtpreis endbetrag endpreis nettobetrag bruttobetrag summe gesamt
        montant_ligne montant chiffre_affaires total_linea importe monto gross_amount total_price subtotal
        total value
        """
    ),
    "unit_price": _words(
        """
        unit_price price_per_unit lineitem_price item_price product_price price unitprice einzelpreis
        stueckpreis stuckpreis preis prix_unitaire prix precio_unitario precio
        """
    ),
    "discount": _words(
        """
        discount_amount line_discount lineitem_discount item_discount discount retail_disc rabattbetrag rabatt
        nachlass remise reduction descuento
        """
    ),
    "coupon_discount": _words(
        """
        coupon_discount coupon_amount coupon_value coupon_disc voucher_amount voucher_value gutscheinbetrag
        gutschein_wert valeur_bon cupon_importe
        """
    ),
    "category": _words(
        """
        category product_category item_category category_name department product_type product_group kategorie
        warengruppe produktgruppe categorie rayon categoria departamento
        """
    ),
    "channel": _words("channel sales_channel order_channel source_name source platform kanal vertriebskanal canal"),
    "country": _words(
        """
        country country_code shipping_country billing_country geo_country land lieferland pays pais
        country_name
        """
    ),
    "store_id": _words("store_id store_number store shop_id shop branch location_id filiale filial_nr magasin tienda"),
    "is_return": _words(
        "is_return is_refund returned refunded is_cancelled cancelled storno retoure retour devolucion"
    ),
}

PRODUCT_NAMES = _words(
    """
    product_name lineitem_name line_item_name item_name order_item_name product_title item_title product_description
    item_description article_description stock_description article_name description product item title artikelname
    artikelbezeichnung produktname produktbezeichnung bezeichnung beschreibung artikel produkt nom_produit libelle
    designation produit article nombre_producto descripcion producto articulo
    """
)
CURRENCY_COLUMNS = _words("currency currency_code waehrung wahrung devise moneda")
CUSTOMER_IDS = (
    *SYNONYMS["customer_id"],
    *_words("respondent_id respondent response_id contact_id person_id visitor_id participant_id id"),
)


def plain_name(column: str) -> str:
    """Return a column's name in lower case without accents, words joined by ``_``.

    Examples
    --------
    >>> [plain_name(name) for name in ("CustomerID", "Lineitem price", "Stückzahl", "InvoiceDate", "event.items.sku")]
    ['customer_id', 'lineitem_price', 'stuckzahl', 'invoice_date', 'event_items_sku']
    """
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", column)
    ascii_only = unicodedata.normalize("NFKD", split.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", ascii_only.lower()).strip("_")


def name_score(column: str, synonyms) -> float:
    """Return how much a name says a role: 1 for the likeliest synonym, 0 for none.

    A synonym that is only a part of the name counts half.

    Examples
    --------
    >>> name_score("InvoiceDate", SYNONYMS["ordered_at"]) > name_score("delivery date", SYNONYMS["ordered_at"]) > 0
    True
    """
    name = plain_name(column)
    names = list(synonyms)
    if name in names:
        return 1 - 0.4 * names.index(name) / len(names)
    joined = {one.replace("_", ""): position for position, one in enumerate(names)}
    if name.replace("_", "") in joined:
        return 1 - 0.4 * joined[name.replace("_", "")] / len(names)
    words = f"_{name}_"
    parts = [position for position, one in enumerate(names) if len(one) > 3 and f"_{one}_" in words]
    return 0.5 - 0.2 * min(parts) / len(names) if parts else 0.0
